-- Forgets at most $3 events of lane $1 that were published before second $2, oldest first, but none that is held
-- back. Answers how many. When none is left before that second, the marks before it have nothing to tell any more;
-- the last of them stays, so that time goes on from there.
WITH old AS MATERIALIZED (
    SELECT o.number FROM outbox o
    WHERE o.shard = $1
        AND o.number <= coalesce(
            (SELECT max(m.watermark) FROM lane_marks m WHERE m.shard = $1 AND m.at_s < $2), 0
        )
        AND NOT EXISTS (
            SELECT FROM parked_roots p WHERE p.shard = $1 AND p.root = o.root AND o.number >= p.number
        )
    ORDER BY o.number
    LIMIT $3
),
gone AS (DELETE FROM outbox o USING old WHERE o.shard = $1 AND o.number = old.number RETURNING 1),
marks AS (
    DELETE FROM lane_marks m
    WHERE m.shard = $1
        AND m.at_s < (SELECT max(l.at_s) FROM lane_marks l WHERE l.shard = $1 AND l.at_s < $2)
        AND (SELECT count(*) FROM gone) < $3
)
SELECT count(*) FROM gone
