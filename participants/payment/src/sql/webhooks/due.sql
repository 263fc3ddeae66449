-- What is new before what is parked.
SELECT event_id, kind, object_id, status, why, tries, received_at_ms
FROM webhooks
WHERE status <> 'done' AND provider = $1 AND next_at_ms <= $2
ORDER BY CASE status WHEN 'waiting' THEN 0 ELSE 1 END, next_at_ms
LIMIT $3
