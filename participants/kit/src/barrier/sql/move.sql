-- Compare-and-swap: only the state that was seen ($3, $4) becomes the new one ($5, $6).
UPDATE barrier
SET state = $5, aim = $6, answer = $7, updated_at_ms = $8
WHERE saga_id = $1 AND step = $2 AND state = $3 AND aim = $4
