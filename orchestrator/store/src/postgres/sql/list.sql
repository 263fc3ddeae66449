-- Every saga, newest first, served by sagas_by_start.
SELECT root, shard, definition, version, status, started_at_ms, updated_at_ms, id
FROM sagas
WHERE started_at_ms >= $1 AND started_at_ms < $2
    AND (started_at_ms, id) < ($3, $4)
    AND ($5::text IS NULL OR definition = $5)
ORDER BY started_at_ms DESC, id DESC
LIMIT $6
