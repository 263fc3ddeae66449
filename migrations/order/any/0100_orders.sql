-- Orders, what was bought with them, and every status they ever had.

-- One row: the number that the last order got. An order takes its number in its own transaction, so a number is
-- given at most once. A checkout that is taken back keeps its number with its cancelled order, and one that is
-- rolled back gives it to the next: the numbers of orders that stand rise, with gaps.
CREATE TABLE order_counter (
    name TEXT NOT NULL PRIMARY KEY CHECK (name = 'order'),
    last BIGINT NOT NULL CHECK (last >= 0)
);

INSERT INTO order_counter (name, last) VALUES ('order', 0);

CREATE TABLE orders (
    order_id TEXT NOT NULL PRIMARY KEY,
    -- People see it as BS-000001.
    order_number BIGINT NOT NULL UNIQUE CHECK (order_number > 0),
    -- At most one order per checkout, whoever asks and however often.
    checkout_id TEXT NOT NULL UNIQUE,
    -- The saga that created the order; no other may confirm or cancel it.
    saga_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'cancelled')),
    -- NULL for a guest.
    customer_id TEXT,
    email TEXT NOT NULL,
    -- Of every amount of this order, its items included.
    currency TEXT NOT NULL,
    shipping_method TEXT NOT NULL,
    shipping_price_minor BIGINT NOT NULL CHECK (shipping_price_minor >= 0),
    -- Items plus shipping.
    total_minor BIGINT NOT NULL CHECK (total_minor >= shipping_price_minor),
    payment_id TEXT NOT NULL,
    ship_name TEXT NOT NULL,
    ship_line1 TEXT NOT NULL,
    ship_line2 TEXT NOT NULL,
    ship_city TEXT NOT NULL,
    ship_region TEXT NOT NULL,
    ship_postal_code TEXT NOT NULL,
    ship_country TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE order_items (
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    -- From 0, in the order of the cart.
    line BIGINT NOT NULL CHECK (line >= 0),
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    unit_price_minor BIGINT NOT NULL CHECK (unit_price_minor >= 0),
    unit_weight_grams BIGINT NOT NULL CHECK (unit_weight_grams >= 0),
    PRIMARY KEY (order_id, line)
);

-- Every status an order ever had, append-only; the last one is what it is now.
CREATE TABLE order_status_changes (
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    -- From 1 per order.
    seq BIGINT NOT NULL CHECK (seq > 0),
    status TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'cancelled')),
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (order_id, seq)
);
