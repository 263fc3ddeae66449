-- Switches version $2 of $1 to $3 at $4 for the reason $5, unless it is so already, or it goes on and a node that was
-- seen since $6 cannot run it, or no node was. Answers whether it was switched, whether the version is known, whether it
-- was so already, and the nodes that lack it.
WITH known AS MATERIALIZED (
    SELECT coalesce((
        SELECT s.is_on FROM switches s WHERE s.name = $1 AND s.version = $2 ORDER BY s.number DESC LIMIT 1
    ), false) AS is_on
    FROM definitions d WHERE d.name = $1 AND d.version = $2
),
live AS MATERIALIZED (
    SELECT n.node, EXISTS (
        SELECT FROM node_definitions a WHERE a.node = n.node AND a.name = $1 AND a.version = $2
    ) AS able
    FROM nodes n WHERE n.seen_at_ms >= $6
),
switched AS (
    INSERT INTO switches (name, version, is_on, at_ms, why)
    SELECT $1, $2, $3, $4, $5
    FROM known
    WHERE is_on <> $3 AND (NOT $3 OR coalesce((SELECT bool_and(able) FROM live), false))
    RETURNING 1
)
SELECT EXISTS (SELECT FROM switched), EXISTS (SELECT FROM known), coalesce((SELECT is_on = $3 FROM known), false),
    ARRAY(SELECT node FROM live WHERE NOT able ORDER BY node)
