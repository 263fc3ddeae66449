-- Oldest first, those behind the payment $2 that was created at $1.
SELECT payment_id, saga_id, step, root_id, order_id, amount_minor, currency, status, provider, provider_id,
       capture_before_ms, authorized_minor, captured_minor, voided_minor, refunded_minor, released_minor, created_at_ms,
       updated_at_ms
FROM payments
WHERE (created_at_ms, payment_id) > ($1, $2)
ORDER BY created_at_ms, payment_id
LIMIT $3
