-- $1 cart, $2 the checkout, $3 a guest's expiry, $4 a customer's. The version that was held was bought, so it goes up.
UPDATE carts
SET held_by = NULL, version = version + 1,
    expires_at_ms = CASE WHEN customer_id = '' THEN $3 ELSE $4 END
WHERE cart_id = $1
  AND held_by = $2
