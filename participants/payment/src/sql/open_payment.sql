-- The intent. A payment id, or a (saga, step), that is there already inserts nothing: the caller looks whose it is.
INSERT INTO payments (payment_id, saga_id, step, root_id, order_id, amount_minor, currency, status, provider,
                      created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'authorizing', $8, $9, $9)
ON CONFLICT DO NOTHING
