-- Sagas that are unfinished or parked, by definition, version and shard.
SELECT definition, version, shard, count(*) FROM sagas WHERE status IN (0, 1, 2, 3)
GROUP BY definition, version, shard
ORDER BY definition, version, shard
