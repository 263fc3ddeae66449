-- Only this saga's shipment, only once, and none that has left: a parcel on its way cannot be called back.
UPDATE shipments SET status = 'cancelled'
WHERE shipment_id = $1 AND saga_id = $2 AND status = 'created'
AND NOT EXISTS (SELECT 1 FROM tracking_events t WHERE t.shipment_id = $1 AND t.status = 'shipped')
RETURNING order_id, tracking_number
