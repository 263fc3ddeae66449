-- As long as the barrier remembers the saga that asked.
DELETE FROM attempts
WHERE (saga_id, step, number) IN (
    SELECT saga_id, step, number FROM attempts
    WHERE began_at_ms < (SELECT before_ms FROM barrier_purged WHERE one = 1) AND result NOT IN ('', 'unknown')
    ORDER BY began_at_ms
    LIMIT $1)
