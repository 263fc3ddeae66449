-- $1 whether only open ones, $2 how many, $3 the case to go on after; cases are kept for ever, so it is there.
SELECT case_id, payment_id, order_id, root_id, amount_minor, currency, why, opened_at_ms, resolution, resolved_at_ms
FROM cases
WHERE ($1 = 0 OR resolved_at_ms = 0)
  AND ($3 = '' OR (opened_at_ms, case_id) > (SELECT last.opened_at_ms, last.case_id FROM cases last WHERE last.case_id = $3))
ORDER BY opened_at_ms, case_id
LIMIT $2
