INSERT INTO entries (account_id, number, kind, amount_minor, at_ms) VALUES ($1, $2, $3, $4, $5)
