-- $1 reservation, $2 saga, $3 now. Changes nothing unless that saga's reservation is still open.
UPDATE reservations
SET status = 'sold', sold_at_ms = $3
WHERE reservation_id = $1
  AND saga_id = $2
  AND status = 'reserved'
