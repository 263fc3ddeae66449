-- $1 cart, $2 saga, $3 a guest's expiry, $4 a customer's.
UPDATE carts
SET held_by = NULL,
    expires_at_ms = CASE WHEN customer_id = '' THEN $3 ELSE $4 END
WHERE cart_id = $1
  AND held_by = $2
