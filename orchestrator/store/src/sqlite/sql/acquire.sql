-- Every shard for ?1, for ever. The new epochs follow the last one drawn, in the order of the shards.
BEGIN IMMEDIATE;

UPDATE shards
SET owner = ?1, epoch = (SELECT value FROM counters WHERE name = 'epoch') + id + 1, expires_at_ms = NULL;

UPDATE counters SET value = value + (SELECT count(*) FROM shards) WHERE name = 'epoch';

COMMIT;
