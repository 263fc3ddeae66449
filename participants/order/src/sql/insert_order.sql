-- Nothing is written when the order's id or its checkout is taken: the caller reads that off the row count, because an
-- error would end the whole transaction on Postgres.
INSERT INTO orders (
    order_id, order_number, checkout_id, saga_id, status, customer_id, email, currency,
    shipping_method, shipping_price_minor, total_minor, payment_id,
    ship_name, ship_line1, ship_line2, ship_city, ship_region, ship_postal_code, ship_country,
    created_at_ms
)
VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT DO NOTHING
