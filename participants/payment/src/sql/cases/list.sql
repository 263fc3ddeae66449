-- Oldest first, those behind the case $2 that was opened at $1.
SELECT case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms, resolution, resolved_at_ms
FROM cases
WHERE (opened_at_ms, case_id) > ($1, $2)
ORDER BY opened_at_ms, case_id
LIMIT $3
