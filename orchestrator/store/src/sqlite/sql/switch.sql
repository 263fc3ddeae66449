-- Switches version ?2 of ?1 to ?3 at ?4 for the reason ?5, unless it is so already, or it goes on and a node that was
-- seen since ?6 cannot run it, or no node was. Answers whether it was switched, how often the version is known (0 or
-- 1), whether it is now as was asked, and then each node that lacks it.
BEGIN IMMEDIATE;

INSERT INTO switches (name, version, is_on, at_ms, why)
SELECT d.name, d.version, ?3, ?4, ?5
FROM definitions d
WHERE d.name = ?1 AND d.version = ?2
    AND ?3 <> coalesce((
        SELECT s.is_on FROM switches s WHERE s.name = ?1 AND s.version = ?2 ORDER BY s.number DESC LIMIT 1
    ), 0)
    AND (?3 = 0 OR (
        EXISTS (SELECT 1 FROM nodes n WHERE n.seen_at_ms >= ?6)
        AND NOT EXISTS (
            SELECT 1 FROM nodes n
            WHERE n.seen_at_ms >= ?6 AND NOT EXISTS (
                SELECT 1 FROM node_definitions a WHERE a.node = n.node AND a.name = ?1 AND a.version = ?2
            )
        )
    ));

SELECT changes();

SELECT count(*) FROM definitions d WHERE d.name = ?1 AND d.version = ?2;

SELECT ?3 = coalesce((
    SELECT s.is_on FROM switches s WHERE s.name = ?1 AND s.version = ?2 ORDER BY s.number DESC LIMIT 1
), 0);

SELECT n.node FROM nodes n
WHERE n.seen_at_ms >= ?6 AND NOT EXISTS (
    SELECT 1 FROM node_definitions a WHERE a.node = n.node AND a.name = ?1 AND a.version = ?2
)
ORDER BY n.node;

COMMIT;
