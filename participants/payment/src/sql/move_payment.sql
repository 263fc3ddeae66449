-- The compare-and-swap that every change of status goes through.
UPDATE payments
SET status = $3, capture_before_ms = $4, authorized_minor = $5, captured_minor = $6, voided_minor = $7,
    released_minor = $8, updated_at_ms = $9
WHERE payment_id = $1 AND status = $2
