SELECT id, reference, amount_minor, currency, state FROM refunds WHERE account_id = $1 ORDER BY number
