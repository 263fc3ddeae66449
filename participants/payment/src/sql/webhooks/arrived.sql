UPDATE webhooks
SET next_at_ms = $3
WHERE provider = $1 AND object_id = $2 AND status = 'parked'
