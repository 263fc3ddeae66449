INSERT INTO entries (account_id, number, kind, amount_minor, at_ms)
VALUES ($1, (SELECT COALESCE(MAX(number), 0) + 1 FROM entries WHERE account_id = $1), $2, $3, $4)
