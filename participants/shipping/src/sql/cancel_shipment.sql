-- Only this saga's shipment, and only once.
UPDATE shipments SET status = 'cancelled'
WHERE shipment_id = $1 AND saga_id = $2 AND status = 'created'
RETURNING order_id, tracking_number
