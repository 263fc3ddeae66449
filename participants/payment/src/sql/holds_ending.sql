-- Holds that end by $2 and nobody was warned of, and those that have ended since somebody was.
SELECT payment_id
FROM payments
WHERE status = 'authorized' AND capture_before_ms > 0
  AND ((warned_at_ms = 0 AND capture_before_ms <= $2)
       OR (warned_at_ms < capture_before_ms AND capture_before_ms <= $1))
ORDER BY capture_before_ms
LIMIT $3
