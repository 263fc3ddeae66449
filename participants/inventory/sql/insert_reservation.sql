-- $1 reservation, $2 saga, $3 now.
INSERT INTO reservations (reservation_id, saga_id, status, reserved_at_ms)
VALUES ($1, $2, 'reserved', $3)
ON CONFLICT (reservation_id) DO NOTHING
