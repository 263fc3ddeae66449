-- The kept rows of a window, in reading order. $1 since, $2 the last number of the page before.
SELECT number, event_id, source, key, sequence, topic, kind, subject, payload, traceparent, at_ms
FROM outbox
WHERE state = 'published' AND published_at_ms >= $1 AND number > $2
ORDER BY number
LIMIT $3
