SELECT id, saga_id, order_id, created_at_ms
FROM accounts
WHERE id = $1
