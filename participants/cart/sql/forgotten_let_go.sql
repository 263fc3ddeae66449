-- $1 the least saga that is served without a row, $2 how many.
SELECT checkout_id, cart_id
FROM carts_let_go
WHERE checkout_id < $1
  AND NOT EXISTS (SELECT 1 FROM barrier WHERE barrier.saga_id = carts_let_go.checkout_id)
ORDER BY checkout_id
LIMIT $2
