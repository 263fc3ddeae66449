-- $1 cart, $2 customer, $3 items, $4 expiry. A cart id that was used before must not meet its old versions again.
INSERT INTO carts (cart_id, customer_id, items, version, held_by, expires_at_ms)
SELECT $1, $2, $3, highest_gone + 1, NULL, $4
FROM cart_versions
RETURNING version
