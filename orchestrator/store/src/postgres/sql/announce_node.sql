-- Node $1 is here at $2.
INSERT INTO nodes (node, seen_at_ms) VALUES ($1, $2)
