-- Oldest first, those behind the order $2 that was created at $1.
SELECT created_at_ms, order_id
FROM orders
WHERE (created_at_ms, order_id) > ($1, $2)
ORDER BY created_at_ms, order_id
LIMIT $3
