-- Only a waiting row is parked: one that another relay has published or parked meanwhile stays as it is.
-- $1 number, $2 now, $3 why
UPDATE outbox SET state = 'parked', parked_at_ms = $2, parked_why = $3
WHERE number = $1 AND state = 'waiting'
