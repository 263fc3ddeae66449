-- Moves every wanted line from on hand to reserved where there is enough, and answers the SKUs for which there was.
-- A wanted SKU that is not among them was short or unknown.
WITH wanted (sku, quantity) AS (VALUES {rows})
UPDATE stock
SET on_hand = on_hand - wanted.quantity,
    reserved = reserved + wanted.quantity,
    revision = revision + 1
FROM wanted
WHERE stock.sku = wanted.sku
  AND stock.on_hand >= wanted.quantity
RETURNING stock.sku AS sku
