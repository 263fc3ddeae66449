INSERT INTO accounts (id, reference, saga_id, root_id, order_id, amount_minor, currency, state, created_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
