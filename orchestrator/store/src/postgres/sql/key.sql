-- Who has key $2 of scope $1.
SELECT saga, request_hash, created_at_ms FROM keys WHERE scope = $1 AND key = $2
