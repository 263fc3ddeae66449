-- Running, waiting and compensating sagas of the shards $1 by id, after $2, found by their status: in the order of the
-- ids the finished ones would all be read too.
WITH unfinished AS MATERIALIZED (SELECT id, shard FROM sagas WHERE status IN (0, 1, 2))
SELECT id FROM unfinished
WHERE shard = ANY ($1::integer[]) AND ($2::uuid IS NULL OR id > $2)
ORDER BY id
LIMIT $3
