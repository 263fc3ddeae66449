-- What a reservation holds is on hand again.
UPDATE stock
SET on_hand = on_hand + (line.quantity - line.restocked),
    reserved = reserved - (line.quantity - line.restocked),
    revision = revision + 1
FROM reservation_lines AS line
WHERE line.reservation_id = $1
  AND line.sku = stock.sku
  AND line.quantity > line.restocked
