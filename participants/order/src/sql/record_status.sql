-- Under the order's lock, so that the count is the number of the change.
INSERT INTO order_status_changes (order_id, seq, status, at_ms)
SELECT $1, COUNT(*) + 1, $2, $3 FROM order_status_changes WHERE order_id = $1
