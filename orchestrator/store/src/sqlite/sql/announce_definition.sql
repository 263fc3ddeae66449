-- Node ?1 can run version ?3 of ?2, unless it means another one than what is known under that name: then no row is
-- answered.
INSERT INTO definitions (name, version, fingerprint, announced_at_ms) VALUES (?2, ?3, ?4, ?5)
ON CONFLICT (name, version) DO NOTHING;

INSERT INTO node_definitions (node, name, version)
SELECT ?1, name, version FROM definitions WHERE name = ?2 AND version = ?3 AND fingerprint = ?4
ON CONFLICT DO NOTHING;

SELECT 1 FROM definitions WHERE name = ?2 AND version = ?3 AND fingerprint = ?4;
