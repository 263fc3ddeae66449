-- What waits in lane $1, since when, what is held back, and how many roots are parked.
SELECT
    count(*),
    min(o.at_ms),
    (
        SELECT count(*) FROM parked_roots p
        JOIN outbox h ON h.shard = p.shard AND h.number >= p.number AND h.root = p.root
        WHERE p.shard = $1
    ),
    (SELECT count(*) FROM parked_roots p WHERE p.shard = $1)
FROM outbox o
WHERE o.shard = $1
    AND o.number > (SELECT l.watermark FROM lanes l WHERE l.shard = $1)
    AND NOT EXISTS (
        SELECT FROM parked_roots p WHERE p.shard = $1 AND p.root = o.root AND o.number >= p.number
    )
