-- The compare-and-swap of a refund that fails after it was done.
UPDATE refunds
SET status = 'failed', why = $2, look_at_ms = 0, updated_at_ms = $3
WHERE refund_id = $1 AND status = 'done'
