-- Node ?1 is here at ?2 and can run nothing yet; nodes not seen since ?3 are forgotten.
DELETE FROM nodes WHERE node = ?1 OR seen_at_ms < ?3;

INSERT INTO nodes (node, seen_at_ms) VALUES (?1, ?2);
