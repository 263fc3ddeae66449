-- Node $1 can run nothing any more, and nodes not seen since $2 are forgotten.
DELETE FROM nodes WHERE node = $1 OR seen_at_ms < $2
