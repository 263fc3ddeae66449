-- $1 checkout, $2 cart, $3 now. Two sagas that made one checkout good say the same.
INSERT INTO carts_let_go (checkout_id, cart_id, at_ms)
VALUES ($1, $2, $3)
ON CONFLICT (checkout_id) DO NOTHING
