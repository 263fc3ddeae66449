-- The shards $4 that are free or are of node $1 already, for its run $2 and for $3 ms, if that is its last run. The new
-- epochs follow the last one drawn, in the order of the shards. Answers the shards that were taken, with their epochs.
--
-- The member's row is locked, so that a later process of that name joins before this or after it; the shards' rows, so
-- that of two claims one waits, and then finds what the other one took not free.
WITH me AS MATERIALIZED (SELECT 1 FROM members WHERE node = $1 AND run = $2 FOR SHARE),
free AS MATERIALIZED (
    SELECT id FROM shards
    WHERE id = ANY ($4::integer[])
        AND (owner IN ('', $1) OR coalesce(expires_at <= clock_timestamp(), false))
        AND EXISTS (SELECT FROM me)
    ORDER BY id
    FOR UPDATE
),
drawn AS (
    UPDATE counters SET value = value + (SELECT count(*) FROM free) WHERE name = 'epoch' RETURNING value
)
UPDATE shards s
SET owner = $1,
    epoch = drawn.value - n.of + n.nth,
    expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth, count(*) OVER () AS of FROM free) AS n, drawn
WHERE s.id = n.id
RETURNING s.id, s.epoch
