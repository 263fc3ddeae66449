-- The sandbox payment provider's own books. Nobody but the sandbox writes here; an auditor reads it as the bank's
-- statement. Times are Unix milliseconds, amounts minor units.

-- One payment object. The row is where it stands; the entries below are how it got there.
CREATE TABLE accounts (
    id                TEXT   NOT NULL PRIMARY KEY,
    reference         TEXT   NOT NULL,             -- the merchant's payment id
    saga_id           TEXT   NOT NULL,             -- metadata of the merchant, for reconciliation only
    root_id           TEXT   NOT NULL,
    order_id          TEXT   NOT NULL,
    amount_minor      BIGINT NOT NULL CHECK (amount_minor > 0),
    currency          TEXT   NOT NULL,
    card              TEXT   NOT NULL DEFAULT '',  -- the token it was confirmed with
    state             TEXT   NOT NULL CHECK (state IN ('created', 'challenged', 'authorized', 'captured', 'voided', 'refused')),
    decline           TEXT   NOT NULL DEFAULT '',  -- JSON, set when refused
    capture_before_ms BIGINT NOT NULL DEFAULT 0,
    authorized_minor  BIGINT NOT NULL DEFAULT 0 CHECK (authorized_minor >= 0),
    captured_minor    BIGINT NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
    refunded_minor    BIGINT NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
    challenge_reads   BIGINT NOT NULL DEFAULT 0,
    failed_voids      BIGINT NOT NULL DEFAULT 0,
    created_at_ms     BIGINT NOT NULL,
    CHECK (captured_minor <= authorized_minor),
    CHECK (refunded_minor <= captured_minor),
    CHECK (state = 'captured' OR captured_minor = 0),
    CHECK ((state = 'refused') = (decline <> ''))
);

CREATE INDEX accounts_by_reference ON accounts (reference);

-- Append-only, numbered per account. `voided` carries what had been held, which may be nothing.
CREATE TABLE entries (
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    number       BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('created', 'authorized', 'captured', 'voided', 'refunded')),
    amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (account_id, number)
);

-- At most one hold, one capture and one end per account, and never a capture beside a void: the bank's own laws.
CREATE UNIQUE INDEX entries_one_hold ON entries (account_id) WHERE kind = 'authorized';
CREATE UNIQUE INDEX entries_captured_or_voided ON entries (account_id) WHERE kind IN ('captured', 'voided');

CREATE TABLE refunds (
    id           TEXT   NOT NULL PRIMARY KEY,
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    number       BIGINT NOT NULL,             -- order within the account
    reference    TEXT   NOT NULL,             -- the merchant's refund id
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    currency     TEXT   NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    UNIQUE (account_id, number)
);

-- What was answered under which key. The same key with the same call is answered from here; with another call it is
-- an error.
CREATE TABLE answers (
    key    TEXT NOT NULL PRIMARY KEY,
    call   TEXT NOT NULL,                     -- the call and its parameters, canonical, without the token
    answer TEXT NOT NULL                      -- JSON
);

-- The statement: one line per payment object, summed from the entries alone.
CREATE VIEW statement AS
SELECT a.id, a.reference, a.saga_id, a.root_id, a.order_id, a.currency, a.amount_minor,
       s.authorized_minor, s.captured_minor, s.voided_minor, s.refunded_minor, s.captures, s.voids,
       -- What is still held: an authorized amount that was neither taken nor let go.
       CASE WHEN s.captures = 0 AND s.voids = 0 THEN s.authorized_minor ELSE 0 END AS held_minor
FROM accounts a
JOIN (
    SELECT account_id,
           CAST(SUM(CASE WHEN kind = 'authorized' THEN amount_minor ELSE 0 END) AS BIGINT) AS authorized_minor,
           CAST(SUM(CASE WHEN kind = 'captured' THEN amount_minor ELSE 0 END) AS BIGINT)   AS captured_minor,
           CAST(SUM(CASE WHEN kind = 'voided' THEN amount_minor ELSE 0 END) AS BIGINT)     AS voided_minor,
           CAST(SUM(CASE WHEN kind = 'refunded' THEN amount_minor ELSE 0 END) AS BIGINT)   AS refunded_minor,
           CAST(SUM(CASE WHEN kind = 'captured' THEN 1 ELSE 0 END) AS BIGINT)              AS captures,
           CAST(SUM(CASE WHEN kind = 'voided' THEN 1 ELSE 0 END) AS BIGINT)                AS voids
    FROM entries
    GROUP BY account_id
) s ON s.account_id = a.id;
