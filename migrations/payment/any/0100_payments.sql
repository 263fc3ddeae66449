-- The payment participant's ledger. Times are Unix milliseconds, amounts minor units of the payment's currency, ids
-- hyphenated lower-case UUIDs. One text for SQLite and Postgres.

-- One payment. `status` is the state machine, moved by compare-and-swap only:
--   authorizing -> waiting -> authorized -> capturing -> captured      (waiting and capturing may be skipped by what the
--   authorizing | waiting | authorized   -> voiding   -> voided         provider turns out to show; a capture that was
--   authorizing | waiting                -> refused                     refused goes back to authorized)
-- capturing and voiding are both entered from authorized alone or not at all, so a capture and a void are never both
-- sent. captured, voided and refused are final.
CREATE TABLE payments (
    payment_id        TEXT   NOT NULL PRIMARY KEY,
    saga_id           TEXT   NOT NULL,             -- who authorized it, under which step: the barrier row it belongs to
    step              TEXT   NOT NULL,
    root_id           TEXT   NOT NULL,             -- key of its events
    order_id          TEXT   NOT NULL,
    amount_minor      BIGINT NOT NULL CHECK (amount_minor > 0),
    currency          TEXT   NOT NULL,
    status            TEXT   NOT NULL CHECK (status IN
                        ('authorizing', 'waiting', 'authorized', 'capturing', 'captured', 'voiding', 'voided', 'refused')),
    provider          TEXT   NOT NULL,
    provider_id       TEXT   NOT NULL DEFAULT '',  -- stored before the call that may move money; '' until then
    capture_before_ms BIGINT NOT NULL DEFAULT 0,   -- when the hold ends; 0 until authorized
    authorized_minor  BIGINT NOT NULL DEFAULT 0,   -- the sums of the entries below, kept in the same transactions
    captured_minor    BIGINT NOT NULL DEFAULT 0,
    voided_minor      BIGINT NOT NULL DEFAULT 0,
    refunded_minor    BIGINT NOT NULL DEFAULT 0,
    created_at_ms     BIGINT NOT NULL,
    updated_at_ms     BIGINT NOT NULL,
    UNIQUE (saga_id, step),
    CHECK (authorized_minor IN (0, amount_minor)),
    CHECK (captured_minor BETWEEN 0 AND authorized_minor),
    CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    CHECK (voided_minor IN (0, authorized_minor)),
    CHECK (captured_minor = 0 OR voided_minor = 0),
    CHECK ((status = 'captured') = (captured_minor > 0)),
    CHECK (status <> 'voided' OR voided_minor = authorized_minor),
    CHECK (status NOT IN ('authorized', 'capturing', 'captured') OR authorized_minor = amount_minor)
);

-- The reconciler starts from the provider's objects; one object never pays twice.
CREATE UNIQUE INDEX payments_by_provider_id ON payments (provider, provider_id) WHERE provider_id <> '';

-- What is under way, for listing.
CREATE INDEX payments_open ON payments (status, updated_at_ms)
    WHERE status IN ('authorizing', 'waiting', 'capturing', 'voiding');

-- What happened to the money, append-only, numbered per payment, each line learned from the provider.
CREATE TABLE entries (
    payment_id   TEXT   NOT NULL REFERENCES payments (payment_id),
    number       BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('authorized', 'captured', 'voided', 'refunded')),
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    reference    TEXT   NOT NULL,             -- the refund's id; '' otherwise
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (payment_id, number)
);

CREATE UNIQUE INDEX entries_one_hold ON entries (payment_id) WHERE kind = 'authorized';
-- Never both captured and voided, and neither twice.
CREATE UNIQUE INDEX entries_captured_or_voided ON entries (payment_id) WHERE kind IN ('captured', 'voided');
CREATE UNIQUE INDEX entries_one_per_refund ON entries (reference) WHERE kind = 'refunded';

-- Refunds from their intent on. Pending and done ones together never exceed what was captured: checked in the
-- transaction that writes the intent, under the payment's lock.
CREATE TABLE refunds (
    refund_id      TEXT   NOT NULL PRIMARY KEY,
    payment_id     TEXT   NOT NULL REFERENCES payments (payment_id),
    saga_id        TEXT   NOT NULL,             -- who asked, under which step
    step           TEXT   NOT NULL,
    root_id        TEXT   NOT NULL,
    amount_minor   BIGINT NOT NULL CHECK (amount_minor > 0),
    status         TEXT   NOT NULL CHECK (status IN ('pending', 'done', 'failed')),
    created_at_ms  BIGINT NOT NULL,
    updated_at_ms  BIGINT NOT NULL
);

CREATE INDEX refunds_by_payment ON refunds (payment_id);
