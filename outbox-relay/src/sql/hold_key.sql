-- Takes the key's counter row, hence waits for appends under way; those that follow are born held.
UPDATE outbox_keys SET state = 'held' WHERE source = $1 AND key = $2
