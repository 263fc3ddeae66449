-- Of the payments from the one $2 that was created at $1 to the one $4 that was created at $3.
SELECT r.refund_id, r.payment_id, r.saga_id, r.step, r.root_id, r.amount_minor, r.status, r.provider_id, r.why, r.key_from_ms,
       r.created_at_ms, r.updated_at_ms, r.look_at_ms
FROM payments p CROSS JOIN refunds r
WHERE (p.created_at_ms, p.payment_id) >= ($1, $2) AND (p.created_at_ms, p.payment_id) <= ($3, $4)
  AND r.payment_id = p.payment_id
ORDER BY r.payment_id, r.created_at_ms, r.refund_id
