-- The body of a webhook is evidence for a person who looks at one that is not done, and is emptied when it is done, or
-- is no more tried by itself: nobody reads it then, and it names customers.
UPDATE webhooks SET body = substr(body, 1, 0)
WHERE (status = 'done' OR next_at_ms = 9223372036854775807) AND length(body) > 0;

-- What is due: what is new and what is parked, each the longest due first. Parked ones of another's account may be many.
CREATE INDEX webhooks_due ON webhooks (provider, status, next_at_ms) WHERE status <> 'done';
DROP INDEX webhooks_next;
