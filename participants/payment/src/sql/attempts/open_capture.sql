-- A capture that is about to be sent, or whose answer nobody has heard yet.
SELECT MAX(began_at_ms) AS began_at_ms FROM attempts WHERE payment_id = $1 AND verb = 'capture' AND result = ''
