-- Sagas older than $1 of which no row is open, the oldest first, with how many rows each has. Saga ids are text in lower
-- case; those of version 7 sort by time, and no other tells its age.
SELECT saga_id, COUNT(*) AS settled
FROM barrier
WHERE saga_id < $1 AND substr(saga_id, 15, 1) = '7'
GROUP BY saga_id
HAVING SUM(CASE WHEN state IN ('doing', 'closing') THEN 1 ELSE 0 END) = 0
ORDER BY saga_id
LIMIT $2
