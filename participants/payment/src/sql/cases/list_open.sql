-- As list.sql, of those that nobody has resolved.
SELECT case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms, resolution, resolved_at_ms
FROM cases
WHERE resolved_at_ms = 0 AND (opened_at_ms, case_id) > ($1, $2)
ORDER BY opened_at_ms, case_id
LIMIT $3
