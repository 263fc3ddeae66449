-- The compare-and-swap of an order's life: only a pending order of this saga changes, and only once.
UPDATE orders SET status = $3
WHERE order_id = $1 AND saga_id = $2 AND status = 'pending'
RETURNING order_number, checkout_id, currency, total_minor
