-- Under the shipment's lock, and only one that has not left.
UPDATE shipments SET status = 'cancelled'
WHERE shipment_id = $1 AND status = 'created'
