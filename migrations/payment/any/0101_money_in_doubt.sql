-- What a real provider adds to the ledger: calls whose answer is not known, captures of a part, refunds that fail after
-- they were done, webhooks, and what has to be told to the orchestrator. One text for SQLite and Postgres.

-- What a capture of a part let go. At rest authorized = captured + voided + released.
ALTER TABLE payments ADD COLUMN released_minor BIGINT NOT NULL DEFAULT 0
    CHECK (released_minor = CASE WHEN captured_minor > 0 THEN authorized_minor - captured_minor ELSE 0 END);
-- When it was warned that the hold ends soon; 0: not yet.
ALTER TABLE payments ADD COLUMN warned_at_ms BIGINT NOT NULL DEFAULT 0;

CREATE INDEX payments_held ON payments (capture_before_ms) WHERE status = 'authorized';

-- The same entries with two more kinds: released (by a capture of a part) and reversed (a refund that had been done has
-- failed: its money came back to us).
CREATE TABLE entries_of_more_kinds (
    payment_id   TEXT   NOT NULL REFERENCES payments (payment_id),
    number       BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN
                   ('authorized', 'captured', 'released', 'voided', 'refunded', 'reversed')),
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    reference    TEXT   NOT NULL,             -- the refund's id; '' otherwise
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (payment_id, number)
);
INSERT INTO entries_of_more_kinds (payment_id, number, kind, amount_minor, reference, at_ms)
SELECT payment_id, number, kind, amount_minor, reference, at_ms FROM entries;
DROP TABLE entries;
ALTER TABLE entries_of_more_kinds RENAME TO entries;

CREATE UNIQUE INDEX entries_one_hold ON entries (payment_id) WHERE kind = 'authorized';
-- Never both captured and voided, and neither twice; what a capture let go is not voided either.
CREATE UNIQUE INDEX entries_captured_or_voided ON entries (payment_id) WHERE kind IN ('captured', 'voided');
CREATE UNIQUE INDEX entries_released_or_voided ON entries (payment_id) WHERE kind IN ('released', 'voided');
CREATE UNIQUE INDEX entries_one_per_refund ON entries (reference) WHERE kind = 'refunded';
CREATE UNIQUE INDEX entries_one_reversal ON entries (reference) WHERE kind = 'reversed';

-- A refund that is done can still come to failed, days later: then its entry is followed by its reversal.
ALTER TABLE refunds ADD COLUMN provider_id TEXT NOT NULL DEFAULT '';   -- '' until the provider has shown it
ALTER TABLE refunds ADD COLUMN why TEXT NOT NULL DEFAULT '';           -- the provider's word, once it failed
-- Since when the provider knows the refund's key, at the latest: the key lasts for a while from then on.
ALTER TABLE refunds ADD COLUMN key_from_ms BIGINT NOT NULL DEFAULT 0;
UPDATE refunds SET key_from_ms = created_at_ms;
-- When a done refund is looked at next; 0: no more. It waits twice as long every time.
ALTER TABLE refunds ADD COLUMN look_at_ms BIGINT NOT NULL DEFAULT 0;

CREATE INDEX refunds_to_look_at ON refunds (look_at_ms) WHERE look_at_ms > 0;
CREATE INDEX refunds_pending ON refunds (saga_id) WHERE status = 'pending';

-- Every call that may change something at the provider: the row is committed before the call is made, its result after
-- it. `result` is '' while nothing is known, else ok | refused | unavailable | unknown | broken; when a later look at the
-- provider settles the step, what was '' or unknown becomes settled.
CREATE TABLE attempts (
    saga_id      TEXT   NOT NULL,             -- who asked, under which step: the barrier row it belongs to
    step         TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    payment_id   TEXT   NOT NULL,             -- '' where the object is of no payment in this ledger
    verb         TEXT   NOT NULL CHECK (verb IN ('create', 'confirm', 'capture', 'cancel', 'refund')),
    provider_key TEXT   NOT NULL,
    reference    TEXT   NOT NULL,             -- the refund's id; '' otherwise
    result       TEXT   NOT NULL DEFAULT '' CHECK (result IN
                   ('', 'ok', 'refused', 'unavailable', 'unknown', 'broken', 'settled')),
    why          TEXT   NOT NULL DEFAULT '',
    began_at_ms  BIGINT NOT NULL,
    ended_at_ms  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (saga_id, step, number)
);

CREATE INDEX attempts_by_payment ON attempts (payment_id);
CREATE INDEX attempts_by_age ON attempts (began_at_ms);
-- What is not known.
CREATE INDEX attempts_in_doubt ON attempts (began_at_ms) WHERE result IN ('', 'unknown');

-- What a repair took back from an object of the provider, also from one that is of no payment here.
CREATE TABLE repairs (
    saga_id      TEXT   NOT NULL,
    step         TEXT   NOT NULL,
    provider     TEXT   NOT NULL,
    provider_id  TEXT   NOT NULL,
    payment_id   TEXT   NOT NULL,             -- '' where the object is of no payment in this ledger
    verb         TEXT   NOT NULL CHECK (verb IN ('cancel', 'refund')),
    refund_id    TEXT   NOT NULL,             -- '' of a cancel
    amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
    currency     TEXT   NOT NULL,
    outcome      TEXT   NOT NULL DEFAULT '' CHECK (outcome IN ('', 'voided', 'refunded', 'nothing', 'refused')),
    key_from_ms  BIGINT NOT NULL,             -- as of refunds
    began_at_ms  BIGINT NOT NULL,
    ended_at_ms  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (saga_id, step)
);

-- A refund that failed after it had been reported as done, until a person has written down how the customer got the money.
CREATE TABLE cases (
    case_id        TEXT   NOT NULL PRIMARY KEY REFERENCES refunds (refund_id),
    payment_id     TEXT   NOT NULL REFERENCES payments (payment_id),
    order_id       TEXT   NOT NULL,
    root_id        TEXT   NOT NULL,
    amount_minor   BIGINT NOT NULL CHECK (amount_minor > 0),
    currency       TEXT   NOT NULL,
    why            TEXT   NOT NULL,             -- the provider's word
    opened_at_ms   BIGINT NOT NULL,
    resolution     TEXT   NOT NULL DEFAULT '',
    resolved_at_ms BIGINT NOT NULL DEFAULT 0,
    CHECK ((resolution = '') = (resolved_at_ms = 0))
);

-- What the orchestrator is to be told, until it has answered. `raised` counts how often there was a reason since.
CREATE TABLE notices (
    kind       TEXT   NOT NULL CHECK (kind IN ('wake', 'case')),
    about      TEXT   NOT NULL,             -- the saga to wake, or the case to open
    root_id    TEXT   NOT NULL,
    raised     BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    next_at_ms BIGINT NOT NULL,
    made_at_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, about)
);

CREATE INDEX notices_next ON notices (next_at_ms);

-- Webhooks as they came in, stored before they are answered. `object_id` is all that is believed of one: the provider's
-- object that is to be looked at; '' where it is about none.
--   waiting   to be processed, from next_at_ms on
--   parked    about an object that is of no payment here (yet), or that makes no sense; tried again when a payment gets
--             the object, and at growing intervals
--   done      processed
CREATE TABLE webhooks (
    provider       TEXT   NOT NULL,
    event_id       TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    object_id      TEXT   NOT NULL,
    body           BYTEA  NOT NULL,
    status         TEXT   NOT NULL CHECK (status IN ('waiting', 'parked', 'done')),
    why            TEXT   NOT NULL DEFAULT '',  -- what it waits for, once it was tried
    tries          BIGINT NOT NULL,
    next_at_ms     BIGINT NOT NULL,
    received_at_ms BIGINT NOT NULL,
    PRIMARY KEY (provider, event_id)
);

CREATE INDEX webhooks_next ON webhooks (next_at_ms) WHERE status <> 'done';
CREATE INDEX webhooks_done ON webhooks (received_at_ms) WHERE status = 'done';
CREATE INDEX webhooks_parked ON webhooks (provider, object_id) WHERE status = 'parked';
