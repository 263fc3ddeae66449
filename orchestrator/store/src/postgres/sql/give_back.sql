-- Frees the shards $1 that still have the epochs $2.
UPDATE shards s SET owner = '', expires_at = NULL
FROM unnest($1::integer[], $2::bigint[]) AS lease (shard, epoch)
WHERE s.id = lease.shard AND s.epoch = lease.epoch
