-- What nothing was known of; with settled, also what was unknown before.
UPDATE attempts
SET result = $4, why = $5, ended_at_ms = $6
WHERE saga_id = $1 AND step = $2 AND ($3 = '' OR verb = $3)
  AND (result = '' OR (result = 'unknown' AND $4 = 'settled'))
