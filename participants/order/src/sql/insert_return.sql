-- Nothing is written when the id is taken, as with orders. Under the order's lock, so that the count is the number.
INSERT INTO order_returns (
    return_id, order_id, seq, saga_id, status, make_good, reason, refund_minor, created_at_ms
)
SELECT $1, $2, COUNT(*) + 1, $3, 'claimed', $4, $5, $6, $7 FROM order_returns WHERE order_id = $2
ON CONFLICT (return_id) DO NOTHING
