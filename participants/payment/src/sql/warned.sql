UPDATE payments SET warned_at_ms = $2 WHERE payment_id = $1 AND warned_at_ms < $2
