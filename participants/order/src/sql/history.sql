-- The order's own life, and after it that its parcel has left.
SELECT seq, status, at_ms FROM order_status_changes WHERE order_id = $1
UNION ALL
SELECT 9223372036854775807, 'shipped', at_ms FROM shipped_orders WHERE order_id = $1
ORDER BY seq
