-- $1 reservation; each row is a SKU and its quantity.
WITH wanted (sku, quantity) AS (VALUES {rows})
INSERT INTO reservation_lines (reservation_id, sku, quantity)
SELECT $1, wanted.sku, wanted.quantity
FROM wanted
