-- Under the shipment's lock, so that the count is the number of the event.
INSERT INTO tracking_events (shipment_id, seq, status, at_ms)
SELECT $1, COUNT(*) + 1, $2, $3 FROM tracking_events WHERE shipment_id = $1
