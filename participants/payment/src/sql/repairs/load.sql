SELECT verb, amount_minor, outcome, key_from_ms FROM repairs WHERE saga_id = $1 AND step = $2
