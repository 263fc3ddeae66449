-- Only by whoever made this attempt: a sender that was frozen past its claim finds another number.
UPDATE notifications SET status = $3, sent_at_ms = $4, last_error = $5, next_attempt_at_ms = $6
WHERE notification_id = $1 AND attempts = $2 AND status = 'queued'
