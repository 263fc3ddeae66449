INSERT INTO webhooks (provider, event_id, kind, object_id, body, status, tries, next_at_ms, received_at_ms)
VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, $6)
ON CONFLICT DO NOTHING
