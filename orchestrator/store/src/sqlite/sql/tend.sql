-- Run ?2 of node ?1 at ?3 is live for ?4 ms more, and so are those of its leases, ?5 as a JSON array of [shard, epoch],
-- that have not ended. Answers whether it is the last run of its node, the leases that were renewed as (shard, epoch),
-- the live members as (node, run, address), and every shard as (id, owner, epoch, free): each row begins with which of
-- these it is, 0 to 3.
BEGIN IMMEDIATE;

INSERT INTO members (node, run, address, expires_at_ms)
VALUES (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?4)
ON CONFLICT (node) DO UPDATE
SET run = excluded.run, address = excluded.address, expires_at_ms = excluded.expires_at_ms
WHERE members.run <= excluded.run;

SELECT 0, run = ?2 FROM members WHERE node = ?1;

UPDATE shards
SET expires_at_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?4
WHERE owner = ?1 AND coalesce(expires_at_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER), 1)
    AND EXISTS (
        SELECT 1 FROM json_each(?5) l WHERE l.value ->> 0 = shards.id AND l.value ->> 1 = shards.epoch
    )
    AND EXISTS (SELECT 1 FROM members WHERE node = ?1 AND run = ?2)
RETURNING 1, id, epoch;

SELECT 2, node, run, address FROM members
WHERE expires_at_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER)
ORDER BY node;

SELECT 3, id, owner, epoch,
    owner = '' OR coalesce(expires_at_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER), 0)
FROM shards ORDER BY id;

COMMIT;
