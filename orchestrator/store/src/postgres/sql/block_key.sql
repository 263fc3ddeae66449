-- Blocks key $2 of scope $1 at $3, unless somebody has it.
INSERT INTO keys (scope, key, saga, request_hash, created_at_ms)
VALUES ($1, $2, NULL, decode(repeat('00', 32), 'hex'), $3)
ON CONFLICT (scope, key) DO NOTHING
