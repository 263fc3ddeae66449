-- Per shard: its epoch, the number of its last event (published and purged ones are below the watermark), and the
-- last epoch drawn for any shard.
SELECT
    s.epoch,
    max(
        coalesce((SELECT o.number FROM outbox o WHERE o.shard = s.id ORDER BY o.number DESC LIMIT 1), 0),
        coalesce((SELECT l.watermark FROM lanes l WHERE l.shard = s.id), 0)
    ),
    (SELECT value FROM counters WHERE name = 'epoch')
FROM shards s
ORDER BY s.id
