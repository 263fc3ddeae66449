SELECT event_id, kind, object_id, status, why, tries, received_at_ms
FROM webhooks
WHERE status <> 'done'
ORDER BY received_at_ms, event_id
LIMIT $1
