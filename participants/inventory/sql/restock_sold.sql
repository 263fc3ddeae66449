-- $1 restock. What was sold is on hand again.
UPDATE stock
SET on_hand = on_hand + back.quantity,
    sold = sold - back.quantity,
    revision = revision + 1
FROM restock_lines AS back
WHERE back.restock_id = $1
  AND back.sku = stock.sku
