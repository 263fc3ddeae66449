-- Frees the shards that still have the epochs of these leases: ?1, a JSON array of [shard, epoch].
BEGIN IMMEDIATE;

UPDATE shards SET owner = '', expires_at_ms = NULL
WHERE EXISTS (SELECT 1 FROM json_each(?1) l WHERE l.value ->> 0 = shards.id AND l.value ->> 1 = shards.epoch);

COMMIT;
