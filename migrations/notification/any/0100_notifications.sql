-- The log of messages to customers, which is also the queue that they are sent from.
CREATE TABLE notifications (
    notification_id TEXT NOT NULL PRIMARY KEY,
    saga_id TEXT NOT NULL,
    template TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- Rendered when the notification was accepted: every attempt sends the same bytes.
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'sent', 'failed')),
    -- Counted before each sending, so that a mail that kills its sender is not tried for ever.
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    -- While queued: nobody tries before this time. A sender moves it ahead of its attempt, which keeps others away.
    next_attempt_at_ms BIGINT NOT NULL,
    -- Of the last failed attempt.
    last_error TEXT,
    created_at_ms BIGINT NOT NULL,
    sent_at_ms BIGINT,
    -- A sent mail says when, a failed one says why.
    CHECK ((status = 'sent') = (sent_at_ms IS NOT NULL)),
    CHECK (status <> 'failed' OR last_error IS NOT NULL)
);

-- The sender's queue.
CREATE INDEX notifications_queued ON notifications (next_attempt_at_ms) WHERE status = 'queued';

-- List by address, newest first.
CREATE INDEX notifications_by_recipient ON notifications (recipient, created_at_ms);
CREATE INDEX notifications_by_time ON notifications (created_at_ms);
