-- Oldest first; the outer condition names the key, which is of two columns. $1 before, $2 limit
DELETE FROM inbox WHERE (consumer, event_id) IN (
    SELECT consumer, event_id FROM inbox WHERE at_ms < $1 ORDER BY at_ms LIMIT $2
)
