-- Events of lane ?1 behind the watermark and up to ?2, and whether each is held back with its root.
SELECT
    o.number,
    EXISTS (SELECT 1 FROM parked_roots p WHERE p.shard = ?1 AND p.root = o.root AND o.number >= p.number)
FROM outbox o
WHERE o.shard = ?1
    AND o.number > (SELECT l.watermark FROM lanes l WHERE l.shard = ?1)
    AND o.number <= ?2
ORDER BY o.number
