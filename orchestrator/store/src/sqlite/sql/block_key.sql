-- Blocks a key unless somebody has it, and answers who has it now.
BEGIN IMMEDIATE;

INSERT INTO keys (scope, key, saga, request_hash, created_at_ms)
VALUES (?1, ?2, NULL, zeroblob(32), ?3)
ON CONFLICT (scope, key) DO NOTHING;

SELECT saga, request_hash, created_at_ms FROM keys WHERE scope = ?1 AND key = ?2;

COMMIT;
