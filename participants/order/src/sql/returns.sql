-- The returns of the orders from $1, $2 to $3, $4.
SELECT *
FROM order_returns
WHERE order_id IN (SELECT order_id FROM orders
                   WHERE (created_at_ms, order_id) >= ($1, $2) AND (created_at_ms, order_id) <= ($3, $4))
ORDER BY order_id, seq
