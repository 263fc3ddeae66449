-- From the order $2 that was created at $1 to the order $4 that was created at $3.
SELECT *
FROM orders
WHERE (created_at_ms, order_id) >= ($1, $2) AND (created_at_ms, order_id) <= ($3, $4)
ORDER BY created_at_ms, order_id
