-- A call of the checkout that was let in before the mark was raised may have left a row since: then it is served still.
DELETE FROM carts_let_go
WHERE checkout_id = $1
  AND NOT EXISTS (SELECT 1 FROM barrier WHERE barrier.saga_id = carts_let_go.checkout_id)
