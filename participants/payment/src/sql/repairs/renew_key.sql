UPDATE repairs SET key_from_ms = $4 WHERE saga_id = $1 AND step = $2 AND key_from_ms = $3 AND outcome = ''
