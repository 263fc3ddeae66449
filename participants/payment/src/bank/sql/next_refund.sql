SELECT COALESCE(MAX(number), 0) + 1 FROM refunds WHERE account_id = $1
