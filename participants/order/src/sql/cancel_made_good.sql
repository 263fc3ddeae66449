-- Only an order that never stood, by a return that took all of it.
UPDATE orders SET status = 'cancelled'
WHERE order_id = $1 AND status = 'pending'
AND EXISTS (SELECT 1 FROM order_returns r WHERE r.return_id = $2 AND r.order_id = $1 AND r.make_good = 1)
