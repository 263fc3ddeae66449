UPDATE refunds
SET status = $2, provider_id = $3, why = $4, look_at_ms = $5, updated_at_ms = $6
WHERE refund_id = $1 AND status = 'pending'
