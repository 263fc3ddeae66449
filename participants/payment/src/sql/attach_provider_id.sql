-- Only while the hold is still wanted: after an undo has begun this changes nothing, and nothing may be confirmed.
UPDATE payments
SET provider_id = $2, updated_at_ms = $3
WHERE payment_id = $1 AND status = 'authorizing' AND provider_id IN ('', $2)
