-- Rows that are due already keep their place.
UPDATE barrier_open
SET next_at_ms = $2
WHERE saga_id = $1 AND next_at_ms > $2
