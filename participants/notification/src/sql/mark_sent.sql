-- True whoever says it and however late: a sender that was frozen past its claim has sent the mail all the same.
UPDATE notifications SET status = 'sent', sent_at_ms = $2 WHERE notification_id = $1 AND status <> 'sent'
