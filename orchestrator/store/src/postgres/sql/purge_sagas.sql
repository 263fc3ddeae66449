-- Forgets at most $2 finished sagas that did not change after $1, oldest first. Answers how many.
WITH old AS MATERIALIZED (
    SELECT id FROM sagas
    WHERE status IN (4, 5) AND started_at_ms <= $1 AND updated_at_ms <= $1
    ORDER BY started_at_ms, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
),
records AS (DELETE FROM journal j USING old WHERE j.saga_id = old.id),
gone AS (DELETE FROM sagas s USING old WHERE s.id = old.id RETURNING 1)
SELECT count(*) FROM gone
