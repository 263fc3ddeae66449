-- $1 the least checkout whose calls are answered, $2 how many. One that the barrier has a row of yet goes after that.
SELECT checkout_id, cart_id
FROM carts_let_go
WHERE checkout_id < $1
  AND NOT EXISTS (SELECT 1 FROM barrier WHERE barrier.saga_id = carts_let_go.checkout_id)
ORDER BY checkout_id
LIMIT $2
