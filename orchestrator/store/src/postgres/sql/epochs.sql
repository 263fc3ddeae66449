-- The current epoch of every shard.
SELECT epoch FROM shards ORDER BY id
