SELECT case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms, resolution, resolved_at_ms
FROM cases
WHERE $1 = 0 OR resolved_at_ms = 0
ORDER BY opened_at_ms, case_id
LIMIT $2
