-- After hold_key in the same transaction: rows that were appended before the hold. $3 the parked number
UPDATE outbox SET state = 'held'
WHERE source = $1 AND key = $2 AND state = 'waiting' AND number > $3
