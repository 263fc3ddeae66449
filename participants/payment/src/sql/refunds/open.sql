INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status, key_from_ms, created_at_ms,
                     updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7, $7)
ON CONFLICT DO NOTHING
