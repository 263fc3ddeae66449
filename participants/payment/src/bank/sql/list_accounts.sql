-- Newest first; rowid is the order of creation.
SELECT rowid AS place, id, saga_id, order_id, created_at_ms
FROM accounts
WHERE created_at_ms >= $1 AND rowid < $2
ORDER BY rowid DESC
LIMIT $3
