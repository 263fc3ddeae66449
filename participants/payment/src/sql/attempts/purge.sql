-- As long as the barrier remembers the saga that asked: all of them, for its open step decides by them what it may ask
-- again. Where no row is left nothing is decided any more.
DELETE FROM attempts
WHERE (saga_id, step, number) IN (
    SELECT saga_id, step, number FROM attempts old
    WHERE began_at_ms < (SELECT before_ms FROM barrier_forgotten WHERE one = 1) AND result NOT IN ('', 'unknown')
      AND NOT EXISTS (SELECT 1 FROM barrier WHERE barrier.saga_id = old.saga_id)
    ORDER BY began_at_ms
    LIMIT $1)
