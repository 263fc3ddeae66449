SELECT CAST(COALESCE(MAX(number), 0) + 1 AS BIGINT) FROM entries WHERE payment_id = $1
