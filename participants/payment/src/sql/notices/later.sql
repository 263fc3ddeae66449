UPDATE notices SET tries = tries + 1, next_at_ms = $4 WHERE kind = $1 AND about = $2 AND raised = $3
