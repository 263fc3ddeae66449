-- $1 cart, $2 the version that was read, $3 saga, $4 the items left, $5 expiry. Frees the cart of this saga only.
UPDATE carts
SET items = $4, version = version + 1, expires_at_ms = $5,
    held_by = CASE WHEN held_by = $3 THEN NULL ELSE held_by END
WHERE cart_id = $1
  AND version = $2
