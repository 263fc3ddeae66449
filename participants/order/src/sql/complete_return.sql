UPDATE order_returns SET status = 'completed', credit_note_number = $2, settled_at_ms = $3
WHERE return_id = $1 AND status = 'claimed'
