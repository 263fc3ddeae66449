-- The time it was due tells whether somebody else has looked meanwhile.
UPDATE refunds
SET look_at_ms = $3
WHERE refund_id = $1 AND look_at_ms = $2
