-- Only by whoever made the last attempt: of a sender that was frozen past its claim nobody wants to hear this.
UPDATE notifications SET status = $3, last_error = $4, next_attempt_at_ms = $5
WHERE notification_id = $1 AND attempts = $2 AND status = 'queued'
