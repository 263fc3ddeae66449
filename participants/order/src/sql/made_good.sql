-- Of an order that never stood: one that did may come back and stays as it is.
SELECT o.order_number, r.status AS return_status
FROM orders o JOIN order_returns r ON r.order_id = o.order_id
WHERE o.order_id = $1 AND o.saga_id = $2 AND o.status IN ('pending', 'cancelled')
AND r.make_good = 1 AND r.status IN ('claimed', 'completed')
