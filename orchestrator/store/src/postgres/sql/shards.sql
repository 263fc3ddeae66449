-- Every shard, and whether anybody may claim it.
SELECT owner, epoch, owner = '' OR coalesce(expires_at <= clock_timestamp(), false) FROM shards ORDER BY id
