UPDATE order_returns SET status = 'cancelled', settled_at_ms = $2
WHERE return_id = $1 AND status = 'claimed'
