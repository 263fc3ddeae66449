SELECT r.order_id, r.saga_id, r.status, r.refund_minor, o.currency
FROM order_returns r JOIN orders o ON o.order_id = r.order_id
WHERE r.return_id = $1
