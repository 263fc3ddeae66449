-- $1 reservation. One of which something came back stays.
DELETE FROM reservations
WHERE reservation_id = $1
  AND NOT EXISTS (SELECT 1 FROM restocks r WHERE r.reservation_id = $1)
