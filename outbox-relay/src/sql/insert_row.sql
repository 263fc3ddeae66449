-- One event. A number that another process drew in the same instant inserts nothing, and the caller draws again.
INSERT INTO outbox (
    number, event_id, source, key, sequence, topic, kind, subject, payload, traceparent, at_ms, state
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (number) DO NOTHING
