-- $1 reservation. What came back of it before it was released is all that it was for.
UPDATE reservation_lines
SET quantity = restocked
WHERE reservation_id = $1
  AND restocked > 0
