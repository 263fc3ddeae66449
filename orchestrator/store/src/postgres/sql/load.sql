-- A saga's row with each of its records; one row without a record if it has none, which cannot be.
SELECT s.root, s.shard, s.definition, s.version, s.status, s.started_at_ms, s.updated_at_ms, j.seq, j.record,
    coalesce(s.started_at_ms < (SELECT max(at_ms) FROM restores), false) AS restored
FROM sagas s
LEFT JOIN journal j ON j.saga_id = s.id
WHERE s.id = $1
ORDER BY j.seq
