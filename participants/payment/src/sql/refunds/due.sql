SELECT refund_id, payment_id, saga_id, step, root_id, amount_minor, status, provider_id, why, key_from_ms, created_at_ms,
       updated_at_ms, look_at_ms
FROM refunds
WHERE look_at_ms > 0 AND look_at_ms <= $1
ORDER BY look_at_ms
LIMIT $2
