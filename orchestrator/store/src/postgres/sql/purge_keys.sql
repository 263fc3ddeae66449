-- Forgets at most $2 keys from $1 or before whose saga is not there, oldest first. Answers how many.
WITH old AS MATERIALIZED (
    SELECT k.scope, k.key FROM keys k
    WHERE k.created_at_ms <= $1 AND NOT EXISTS (SELECT FROM sagas s WHERE s.id = k.saga)
    ORDER BY k.created_at_ms, k.scope, k.key
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
gone AS (DELETE FROM keys k USING old WHERE k.scope = old.scope AND k.key = old.key RETURNING 1)
SELECT count(*) FROM gone
