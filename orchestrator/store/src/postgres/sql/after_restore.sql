-- Every shard is free, under an epoch that was never drawn: the backup does not know how many were since it was made, so
-- the counter goes far beyond them. Answers the last one.
WITH restored AS (
    UPDATE counters SET value = value + 4294967296 + (SELECT count(*) FROM shards) WHERE name = 'epoch'
    RETURNING value
),
freed AS (
    UPDATE shards s
    SET owner = '', expires_at = NULL, epoch = restored.value - n.of + n.nth
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth, count(*) OVER () AS of FROM shards) AS n, restored
    WHERE s.id = n.id
)
SELECT value FROM restored
