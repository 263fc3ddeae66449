-- A new database gets $1 shards, each with an epoch that nobody holds.
WITH new AS (
    INSERT INTO shards (id, owner, epoch, numbered)
    SELECT id, '', id + 1, 0 FROM generate_series(0, $1::integer - 1) AS n (id)
    WHERE NOT EXISTS (SELECT FROM shards)
    RETURNING id, epoch
),
lanes AS (INSERT INTO lanes (shard, watermark) SELECT id, 0 FROM new)
UPDATE counters SET value = greatest(value, (SELECT max(epoch) FROM new)) WHERE name = 'epoch'
