INSERT INTO entries (payment_id, number, kind, amount_minor, reference, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
