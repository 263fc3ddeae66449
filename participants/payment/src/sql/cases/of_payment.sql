SELECT case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms, resolution, resolved_at_ms
FROM cases
WHERE payment_id = $1
ORDER BY opened_at_ms, case_id
