-- The payment's row is written in the same transaction, so nobody else draws a number for it.
INSERT INTO entries (payment_id, number, kind, amount_minor, reference, at_ms)
VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM entries WHERE payment_id = $1), $2, $3, $4, $5)
