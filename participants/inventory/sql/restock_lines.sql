-- $1 restock. The table's own check refuses more than the reservation has.
UPDATE reservation_lines
SET restocked = reservation_lines.restocked + back.quantity
FROM restock_lines AS back, restocks AS r
WHERE back.restock_id = $1
  AND r.restock_id = $1
  AND reservation_lines.reservation_id = r.reservation_id
  AND reservation_lines.sku = back.sku
