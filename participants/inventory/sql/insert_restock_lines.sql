-- $1 restock; each row is a SKU and its quantity.
WITH back (sku, quantity) AS (VALUES {rows})
INSERT INTO restock_lines (restock_id, sku, quantity)
SELECT $1, back.sku, back.quantity
FROM back
