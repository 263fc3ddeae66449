UPDATE refunds SET looks = looks + 1, state = $2, failure = $3 WHERE id = $1
