-- Holds that end by $2 and nobody was warned of, and those of the provider $4 that have ended by $1 and are to be looked at:
-- at once, then when they were last looked at by $5 and twice as long after their end as then, and at the latest when they
-- were last looked at by $6. The outer bound is what the index of holds is searched by.
SELECT payment_id, warned_at_ms
FROM payments
WHERE status = 'authorized' AND capture_before_ms > 0 AND capture_before_ms <= $2
  AND (warned_at_ms = 0
       OR (capture_before_ms <= $1 AND provider = $4
           AND (warned_at_ms < capture_before_ms
                OR (warned_at_ms <= $5 AND (2 * warned_at_ms - capture_before_ms <= $1 OR warned_at_ms <= $6)))))
ORDER BY capture_before_ms
LIMIT $3
