-- Run ?2 of node ?1 ends: its node's shards are free, and it is no member any more. Nothing if it was replaced.
BEGIN IMMEDIATE;

UPDATE shards SET owner = '', expires_at_ms = NULL
WHERE owner = ?1 AND EXISTS (SELECT 1 FROM members WHERE node = ?1 AND run = ?2);

DELETE FROM members WHERE node = ?1 AND run = ?2;

COMMIT;
