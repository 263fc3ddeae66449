-- The row stays locked until the transaction ends, so numbers are given one at a time.
UPDATE order_counter SET last = last + 1 WHERE name = 'order' RETURNING last
