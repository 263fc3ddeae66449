-- As list_payments.sql, of those on which something is open: their own end, or a refund's. Each kind is searched in an index
-- that has no others; the join begins with the refunds (CROSS JOIN), which are few.
SELECT payment_id, saga_id, step, root_id, order_id, amount_minor, currency, status, provider, provider_id,
       capture_before_ms, authorized_minor, captured_minor, voided_minor, refunded_minor, released_minor, created_at_ms,
       updated_at_ms
FROM (SELECT * FROM payments
      WHERE status IN ('authorizing', 'waiting', 'authorized', 'capturing', 'voiding')
        AND (created_at_ms, payment_id) > ($1, $2)
      ORDER BY created_at_ms, payment_id
      LIMIT $3) AS not_at_their_end
UNION
SELECT payment_id, saga_id, step, root_id, order_id, amount_minor, currency, status, provider, provider_id,
       capture_before_ms, authorized_minor, captured_minor, voided_minor, refunded_minor, released_minor, created_at_ms,
       updated_at_ms
FROM (SELECT DISTINCT p.* FROM refunds r CROSS JOIN payments p
      WHERE r.status = 'pending' AND p.payment_id = r.payment_id AND (p.created_at_ms, p.payment_id) > ($1, $2)
      ORDER BY p.created_at_ms, p.payment_id
      LIMIT $3) AS giving_back
ORDER BY created_at_ms, payment_id
LIMIT $3
