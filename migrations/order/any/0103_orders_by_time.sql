-- Orders are listed oldest first, from a time on.
CREATE INDEX orders_by_time ON orders (created_at_ms, order_id);
