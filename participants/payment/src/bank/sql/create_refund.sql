INSERT INTO refunds (id, account_id, number, reference, amount_minor, currency, state, failure)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
