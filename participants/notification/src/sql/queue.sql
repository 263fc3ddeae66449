-- Nothing is written when the id is taken: the caller reads that off the row count, because an error would end the
-- whole transaction on Postgres.
INSERT INTO notifications (
    notification_id, saga_id, template, recipient, subject, body,
    status, attempts, next_attempt_at_ms, created_at_ms
)
VALUES ($1, $2, $3, $4, $5, $6, 'queued', 0, $7, $7)
ON CONFLICT DO NOTHING
