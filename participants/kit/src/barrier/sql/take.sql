-- Compare-and-swap: of two processes that found the row due, one takes it up.
UPDATE barrier_open SET takes = takes + 1, next_at_ms = $4
WHERE saga_id = $1 AND step = $2 AND next_at_ms = $3
