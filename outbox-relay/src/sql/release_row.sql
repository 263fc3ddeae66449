-- $1 number
UPDATE outbox SET state = 'waiting', parked_at_ms = NULL, parked_why = NULL
WHERE number = $1 AND state = 'parked'
RETURNING source, key
