-- The time before tells whether somebody else has warned or looked meanwhile.
UPDATE payments SET warned_at_ms = $3 WHERE payment_id = $1 AND warned_at_ms = $2 AND status = 'authorized'
