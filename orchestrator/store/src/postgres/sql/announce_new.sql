-- Versions $2 of the names $1 with the fingerprints $3, first announced at $4 where they are new.
INSERT INTO definitions (name, version, fingerprint, announced_at_ms)
SELECT n.name, n.version, n.fingerprint, $4
FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS n (name, version, fingerprint)
ON CONFLICT (name, version) DO NOTHING
