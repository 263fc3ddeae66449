-- The compare-and-swap of an order's life: only a pending order of this saga changes, only once, and not while it is
-- being made good.
UPDATE orders SET status = $3
WHERE order_id = $1 AND saga_id = $2 AND status = 'pending'
AND NOT EXISTS (SELECT 1 FROM order_returns r WHERE r.order_id = $1 AND r.status = 'claimed')
RETURNING order_number, checkout_id, currency, total_minor
