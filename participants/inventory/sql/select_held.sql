-- $1 reservation. What it holds of each SKU, nothing included.
SELECT sku, quantity - restocked AS held
FROM reservation_lines
WHERE reservation_id = $1
ORDER BY sku
