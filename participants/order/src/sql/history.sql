-- Of the orders from $1, $2 to $3, $4: the order's own life, and after it that its parcel has left.
SELECT order_id, seq, status, at_ms
FROM order_status_changes
WHERE order_id IN (SELECT order_id FROM orders
                   WHERE (created_at_ms, order_id) >= ($1, $2) AND (created_at_ms, order_id) <= ($3, $4))
UNION ALL
SELECT order_id, 9223372036854775807, 'shipped', at_ms
FROM shipped_orders
WHERE order_id IN (SELECT order_id FROM orders
                   WHERE (created_at_ms, order_id) >= ($1, $2) AND (created_at_ms, order_id) <= ($3, $4))
ORDER BY order_id, seq
