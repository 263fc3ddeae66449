-- What a return asks about its order.
SELECT order_number, saga_id, status, currency, shipping_price_minor, total_minor, returned_minor, payment_id,
    email, ship_name,
    COALESCE((SELECT MAX(c.at_ms) FROM order_status_changes c
        WHERE c.order_id = o.order_id AND c.status = 'confirmed'), 0) AS confirmed_at_ms
FROM orders o WHERE order_id = $1
