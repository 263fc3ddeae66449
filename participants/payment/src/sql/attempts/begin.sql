-- Calls of a step are made by one task at a time, so nobody else draws its number.
INSERT INTO attempts (saga_id, step, number, payment_id, verb, provider_key, reference, began_at_ms)
VALUES ($1, $2, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempts WHERE saga_id = $1 AND step = $2), $3, $4, $5, $6, $7)
