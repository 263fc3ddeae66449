-- What came back of the orders from $1, $2 to $3, $4, one row a return and product.
SELECT l.return_id, i.sku, CAST(SUM(l.quantity) AS BIGINT) AS quantity
FROM order_returns r
JOIN order_return_lines l ON l.return_id = r.return_id
JOIN order_items i ON i.order_id = r.order_id AND i.line = l.line
WHERE r.order_id IN (SELECT order_id FROM orders
                   WHERE (created_at_ms, order_id) >= ($1, $2) AND (created_at_ms, order_id) <= ($3, $4))
GROUP BY l.return_id, i.sku
ORDER BY l.return_id, i.sku
