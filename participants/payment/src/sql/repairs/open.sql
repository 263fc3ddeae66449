INSERT INTO repairs (saga_id, step, provider, provider_id, payment_id, verb, refund_id, amount_minor, currency,
                     key_from_ms, began_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
ON CONFLICT DO NOTHING
