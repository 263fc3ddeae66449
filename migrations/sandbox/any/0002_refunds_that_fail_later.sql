-- A refund may wait to be decided, and may fail after it had succeeded: the line that takes it back is `refund_failed`.

DROP VIEW statement;

CREATE TABLE entries_2 (
    account_id   TEXT   NOT NULL REFERENCES accounts (id),
    number       BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('created', 'authorized', 'captured', 'voided', 'refunded', 'refund_failed')),
    amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
    at_ms        BIGINT NOT NULL,
    PRIMARY KEY (account_id, number)
);

INSERT INTO entries_2 (account_id, number, kind, amount_minor, at_ms)
SELECT account_id, number, kind, amount_minor, at_ms FROM entries;

DROP TABLE entries;
ALTER TABLE entries_2 RENAME TO entries;

-- At most one hold, one capture and one end per account, and never a capture beside a void: the bank's own laws.
CREATE UNIQUE INDEX entries_one_hold ON entries (account_id) WHERE kind = 'authorized';
CREATE UNIQUE INDEX entries_captured_or_voided ON entries (account_id) WHERE kind IN ('captured', 'voided');

ALTER TABLE refunds ADD COLUMN failure TEXT NOT NULL DEFAULT '';   -- the bank's word; set when failed
ALTER TABLE refunds ADD COLUMN looks BIGINT NOT NULL DEFAULT 0;    -- how often it was shown to the merchant

-- The statement: one line per payment object, summed from the entries alone. A refund counts from when it is accepted.
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
           CAST(SUM(CASE WHEN kind = 'refunded' THEN amount_minor
                         WHEN kind = 'refund_failed' THEN -amount_minor
                         ELSE 0 END) AS BIGINT)                                            AS refunded_minor,
           CAST(SUM(CASE WHEN kind = 'captured' THEN 1 ELSE 0 END) AS BIGINT)              AS captures,
           CAST(SUM(CASE WHEN kind = 'voided' THEN 1 ELSE 0 END) AS BIGINT)                AS voids
    FROM entries
    GROUP BY account_id
) s ON s.account_id = a.id;
