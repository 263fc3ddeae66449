-- Nothing is written when the id is taken, as with quotes.
INSERT INTO receipts (receipt_id, shipment_id, order_id, saga_id, outcome, at_ms)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
