-- $1 restock, $2 reservation, $3 saga, $4 now.
INSERT INTO restocks (restock_id, reservation_id, saga_id, restocked_at_ms)
VALUES ($1, $2, $3, $4)
ON CONFLICT (restock_id) DO NOTHING
