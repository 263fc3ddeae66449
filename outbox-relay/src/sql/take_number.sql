-- The next ce_sequence and row number of a key, under its lock until the transaction ends.
-- $1 source, $2 key, $3 the number this process drew; it is raised where the key is already further.
INSERT INTO outbox_keys (source, key, last_sequence, last_number)
VALUES ($1, $2, 1, $3)
ON CONFLICT (source, key) DO UPDATE SET
    last_sequence = outbox_keys.last_sequence + 1,
    last_number = CASE
        WHEN excluded.last_number > outbox_keys.last_number THEN excluded.last_number
        ELSE outbox_keys.last_number + 1
    END
RETURNING last_sequence, last_number, state
