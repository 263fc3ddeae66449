SELECT saga_id, step, verb, result, why, began_at_ms, ended_at_ms
FROM attempts
WHERE payment_id = $1
ORDER BY began_at_ms, saga_id, step, number
LIMIT 1000
