-- Oldest publications first. $1 before, $2 limit
DELETE FROM outbox WHERE number IN (
    SELECT number FROM outbox
    WHERE state = 'published' AND published_at_ms < $1
    ORDER BY published_at_ms
    LIMIT $2
)
