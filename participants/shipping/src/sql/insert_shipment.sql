-- Nothing is written when the id or the tracking number is taken, as with quotes.
INSERT INTO shipments (
    shipment_id, order_id, saga_id, tracking_number, method, weight_grams, status,
    to_name, to_line1, to_line2, to_city, to_region, to_postal_code, to_country, created_at_ms
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING
