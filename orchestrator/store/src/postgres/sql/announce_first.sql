-- At $1, for the reason $2: the lowest version that every node can run is on, of each name of which none was ever
-- switched. Who is not live was forgotten before.
INSERT INTO switches (name, version, is_on, at_ms, why)
SELECT common.name, min(common.version), true, $1, $2
FROM (
    SELECT name, version FROM node_definitions
    GROUP BY name, version
    HAVING count(*) = (SELECT count(*) FROM nodes)
) AS common
WHERE NOT EXISTS (SELECT FROM switches s WHERE s.name = common.name)
GROUP BY common.name
ORDER BY common.name
