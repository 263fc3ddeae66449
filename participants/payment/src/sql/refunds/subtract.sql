UPDATE payments
SET refunded_minor = refunded_minor - $2, updated_at_ms = $3
WHERE payment_id = $1 AND refunded_minor >= $2
