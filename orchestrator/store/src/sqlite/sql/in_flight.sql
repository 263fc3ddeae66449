-- Sagas that are unfinished or parked, by definition, version and shard.
SELECT definition, version, shard, count(*) FROM sagas WHERE status BETWEEN 0 AND 3
GROUP BY definition, version, shard
ORDER BY definition, version, shard;
