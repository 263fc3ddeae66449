-- What came back, one row a product.
SELECT i.sku, CAST(SUM(l.quantity) AS BIGINT) AS quantity
FROM order_return_lines l
JOIN order_returns r ON r.return_id = l.return_id
JOIN order_items i ON i.order_id = r.order_id AND i.line = l.line
WHERE l.return_id = $1
GROUP BY i.sku
ORDER BY i.sku
