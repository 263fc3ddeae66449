-- What a reservation holds is sold. On hand does not change, so neither does the revision.
UPDATE stock
SET reserved = reserved - (line.quantity - line.restocked),
    sold = sold + (line.quantity - line.restocked)
FROM reservation_lines AS line
WHERE line.reservation_id = $1
  AND line.sku = stock.sku
