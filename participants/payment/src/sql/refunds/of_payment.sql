SELECT refund_id, payment_id, saga_id, step, root_id, amount_minor, status, provider_id, why, key_from_ms, created_at_ms,
       updated_at_ms, look_at_ms
FROM refunds
WHERE payment_id = $1
ORDER BY created_at_ms, refund_id
