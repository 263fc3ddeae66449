-- Mails whose sender died during the last attempt: nobody is left to say how it ended.
UPDATE notifications SET status = 'failed', last_error = 'the sender died during the last attempt'
WHERE status = 'queued' AND next_attempt_at_ms <= $1 AND attempts >= $2
