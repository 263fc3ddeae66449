-- $1, $2 the step, $3 a verb, or '' for all of them. With a verb: the newest call of it, which is the one that has just been
-- answered; what nothing is known of from before, as after a crash, stays so until the step is settled.
UPDATE attempts
SET result = $4, why = $5, ended_at_ms = $6
WHERE saga_id = $1 AND step = $2
  AND (result = '' OR (result = 'unknown' AND $4 = 'settled'))
  AND ($3 = ''
       OR number = (SELECT MAX(newest.number) FROM attempts newest
                    WHERE newest.saga_id = $1 AND newest.step = $2 AND newest.verb = $3))
