-- What of the family of $1 has not ended, but for the root itself, served by sagas_of_family.
SELECT root, shard, definition, version, status, started_at_ms, updated_at_ms, id
FROM sagas
WHERE root = $1 AND root <> id AND status < 4
ORDER BY id
