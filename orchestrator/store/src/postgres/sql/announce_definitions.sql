-- Node $4 can run versions $2 of the names $1, but for those that are known with another fingerprint than $3. Answers the
-- places, from 1, of those that it can.
WITH able AS MATERIALIZED (
    SELECT n.place, d.name, d.version
    FROM unnest($1::text[], $2::bigint[], $3::bytea[]) WITH ORDINALITY AS n (name, version, fingerprint, place)
    JOIN definitions d ON d.name = n.name AND d.version = n.version AND d.fingerprint = n.fingerprint
),
told AS (
    INSERT INTO node_definitions (node, name, version)
    SELECT $4, name, version FROM able
    ON CONFLICT DO NOTHING
)
SELECT place FROM able
