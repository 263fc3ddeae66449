-- The order's own life, and after it that its parcel has left.
SELECT order_id, seq, status, at_ms FROM order_status_changes WHERE order_id BETWEEN $1 AND $2
UNION ALL
SELECT order_id, 9223372036854775807, 'shipped', at_ms FROM shipped_orders WHERE order_id BETWEEN $1 AND $2
ORDER BY order_id, seq
