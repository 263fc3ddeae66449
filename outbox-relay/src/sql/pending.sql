-- Rows that may be published now. Rows behind a parked one are `held`, so the partial index holds exactly these.
SELECT number, event_id, source, key, sequence, topic, kind, subject, payload, traceparent, at_ms
FROM outbox
WHERE state = 'waiting'
ORDER BY number
LIMIT $1
