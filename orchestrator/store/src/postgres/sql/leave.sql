-- Run $2 of node $1 ends: its node's shards are free, and it is no member any more. Nothing if it was replaced.
WITH me AS (DELETE FROM members WHERE node = $1 AND run = $2 RETURNING node)
UPDATE shards SET owner = '', expires_at = NULL WHERE owner = $1 AND EXISTS (SELECT FROM me)
