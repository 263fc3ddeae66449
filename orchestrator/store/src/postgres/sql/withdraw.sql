-- Node $1 stops.
DELETE FROM nodes WHERE node = $1
