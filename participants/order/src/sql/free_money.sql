UPDATE orders SET returned_minor = returned_minor - r.refund_minor
FROM order_returns AS r
WHERE r.return_id = $1 AND orders.order_id = r.order_id
