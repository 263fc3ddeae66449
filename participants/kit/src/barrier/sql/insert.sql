-- Whoever comes first creates the row; somebody else's is a violated key and rolls this operation back.
INSERT INTO barrier (saga_id, step, state, aim, request_hash, answer, updated_at_ms)
VALUES ($1, $2, $3, '', $4, $5, $6)
