SELECT payment_id, saga_id, step, root_id, order_id, amount_minor, currency, status, provider, provider_id,
       capture_before_ms, authorized_minor, captured_minor, voided_minor, refunded_minor, released_minor, created_at_ms,
       updated_at_ms
FROM payments
WHERE payment_id = $1
