-- What is given back already or promised to be.
SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)
FROM refunds
WHERE payment_id = $1 AND status IN ('pending', 'done')
