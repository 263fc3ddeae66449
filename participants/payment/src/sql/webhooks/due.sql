SELECT event_id, kind, object_id, status, why, tries, received_at_ms
FROM webhooks
WHERE status <> 'done' AND provider = $1 AND next_at_ms <= $2
ORDER BY next_at_ms
LIMIT $3
