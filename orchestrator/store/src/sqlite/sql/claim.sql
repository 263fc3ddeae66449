-- The shards ?4 (a JSON array) that are free or are of node ?1 already, for its run ?2 and for ?3 ms, if that is its last
-- run. The new epochs follow the last one drawn, in the order of the shards. Answers the shards that were taken, with
-- their epochs.
BEGIN IMMEDIATE;

UPDATE shards
SET owner = ?1,
    epoch = (SELECT value FROM counters WHERE name = 'epoch') + nth,
    expires_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3
FROM (
    SELECT id AS taken, row_number() OVER (ORDER BY id) AS nth FROM shards
    WHERE id IN (SELECT value FROM json_each(?4))
        AND (
            owner IN ('', ?1)
            OR coalesce(expires_at_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER), 0)
        )
        AND EXISTS (SELECT 1 FROM members WHERE node = ?1 AND run = ?2)
)
WHERE id = taken
RETURNING id, epoch;

UPDATE counters SET value = max(value, (SELECT max(epoch) FROM shards)) WHERE name = 'epoch';

COMMIT;
