-- The newest saga below $1 that has a row. Of version 7, as in old.sql; what others lie above it is stepped over.
SELECT saga_id
FROM barrier
WHERE saga_id < $1 AND substr(saga_id, 15, 1) = '7'
ORDER BY saga_id DESC
LIMIT 1
