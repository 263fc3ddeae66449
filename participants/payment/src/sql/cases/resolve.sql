UPDATE cases
SET resolution = $2, resolved_at_ms = $3
WHERE case_id = $1 AND resolved_at_ms = 0
