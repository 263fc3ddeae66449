-- The next events of lane $1 that are not held back with a parked root.
SELECT o.number, o.root, o.saga, o.sequence, o.topic, o.kind, o.payload, o.traceparent, o.at_ms
FROM outbox o
WHERE o.shard = $1
    AND o.number > (SELECT l.watermark FROM lanes l WHERE l.shard = $1)
    AND NOT EXISTS (
        SELECT FROM parked_roots p WHERE p.shard = $1 AND p.root = o.root AND o.number >= p.number
    )
ORDER BY o.number
LIMIT $2
