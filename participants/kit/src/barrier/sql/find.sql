SELECT state, aim, request_hash, answer FROM barrier WHERE saga_id = $1 AND step = $2
