-- As long as the barrier remembers sagas of that time.
DELETE FROM webhooks
WHERE (provider, event_id) IN (
    SELECT provider, event_id FROM webhooks
    WHERE received_at_ms < (SELECT before_ms FROM barrier_forgotten WHERE one = 1) AND status = 'done'
    LIMIT $1)
