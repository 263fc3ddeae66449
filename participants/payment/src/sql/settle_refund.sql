UPDATE refunds
SET status = $2, updated_at_ms = $3
WHERE refund_id = $1 AND status = 'pending'
