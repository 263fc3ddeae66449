-- Takes the mails that have waited longest, for one attempt each, and moves them out of everybody else's sight until
-- $2. The outer conditions repeat the inner ones: on Postgres, of two senders at once the second waits for the first
-- and then looks again at the row alone.
UPDATE notifications SET attempts = attempts + 1, next_attempt_at_ms = $2
WHERE status = 'queued' AND next_attempt_at_ms <= $1 AND attempts < $3
AND notification_id IN (
    SELECT notification_id FROM notifications
    WHERE status = 'queued' AND next_attempt_at_ms <= $1 AND attempts < $3
    ORDER BY next_attempt_at_ms, notification_id
    LIMIT $4
)
RETURNING notification_id, recipient, subject, body, attempts, created_at_ms
