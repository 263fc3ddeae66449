-- A process of node $1 at $2 begins and is live for $3 ms; answers the number of its run. Who is not live is forgotten.
-- The member's row is locked before the counter, as everywhere.
WITH before AS MATERIALIZED (SELECT 1 FROM members WHERE node = $1 FOR UPDATE),
drawn AS (
    UPDATE counters SET value = value + 1
    WHERE name = 'epoch' AND (SELECT count(*) FROM before) >= 0
    RETURNING value
),
forgotten AS (DELETE FROM members WHERE expires_at <= clock_timestamp() AND node <> $1)
INSERT INTO members (node, run, address, expires_at)
SELECT $1, value, $2, clock_timestamp() + $3::bigint * interval '1 millisecond' FROM drawn
ON CONFLICT (node) DO UPDATE
SET run = excluded.run, address = excluded.address, expires_at = excluded.expires_at
RETURNING run
