SELECT COALESCE(MAX(number), 0) + 1 FROM entries WHERE account_id = $1
