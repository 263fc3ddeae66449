UPDATE repairs SET outcome = $3, ended_at_ms = $4 WHERE saga_id = $1 AND step = $2 AND outcome = ''
