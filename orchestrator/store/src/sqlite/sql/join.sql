-- A process of node ?1 at ?2 begins and is live for ?3 ms; answers the number of its run. Who is not live is forgotten.
BEGIN IMMEDIATE;

UPDATE counters SET value = value + 1 WHERE name = 'epoch';

DELETE FROM members WHERE expires_at_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER);

INSERT INTO members (node, run, address, expires_at_ms)
SELECT ?1, value, ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3 FROM counters WHERE name = 'epoch'
ON CONFLICT (node) DO UPDATE
SET run = excluded.run, address = excluded.address, expires_at_ms = excluded.expires_at_ms;

SELECT run FROM members WHERE node = ?1;

COMMIT;
