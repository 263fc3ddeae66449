INSERT INTO cases (case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
