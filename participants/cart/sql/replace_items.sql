-- $1 cart, $2 the version that was read, $3 customer, $4 items, $5 expiry. A hold stays: its checkout has its own
-- copy of what it is about.
UPDATE carts
SET customer_id = $3, items = $4, version = version + 1, expires_at_ms = $5
WHERE cart_id = $1
  AND version = $2
