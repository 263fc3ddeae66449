-- Parks the root of event $2 of lane $1 with its reason $3, unless it is parked or the event is published.
INSERT INTO parked_roots (shard, root, number, why, at_ms)
SELECT o.shard, o.root, o.number, $3, $4
FROM outbox o
WHERE o.shard = $1 AND o.number = $2 AND o.number > (SELECT l.watermark FROM lanes l WHERE l.shard = $1)
ON CONFLICT (shard, root) DO NOTHING
