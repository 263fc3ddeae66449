-- Every shard for $1, for ever. The new epochs follow the last one drawn, in the order of the shards.
WITH every AS MATERIALIZED (SELECT id FROM shards ORDER BY id FOR UPDATE),
drawn AS (
    UPDATE counters SET value = value + (SELECT count(*) FROM every) WHERE name = 'epoch' RETURNING value
)
UPDATE shards s
SET owner = $1, epoch = drawn.value - n.of + n.nth, expires_at = NULL
FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth, count(*) OVER () AS of FROM every) AS n, drawn
WHERE s.id = n.id
RETURNING s.id, s.epoch
