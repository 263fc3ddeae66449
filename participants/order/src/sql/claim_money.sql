-- As with lines: no return gives back what another one does, and all of them together at most the total.
UPDATE orders SET returned_minor = returned_minor + r.refund_minor
FROM order_returns AS r
WHERE r.return_id = $1 AND orders.order_id = r.order_id
AND orders.returned_minor + r.refund_minor <= orders.total_minor
