SELECT id, reference, amount_minor, currency, state, failure, looks FROM refunds WHERE account_id = $1 ORDER BY number
