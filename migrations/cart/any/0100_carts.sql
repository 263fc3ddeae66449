-- Carts. A cart is read and written whole, so its items are one document in its row: nothing asks for the carts
-- that contain some product, and every operation is one row.

CREATE TABLE carts (
    cart_id       TEXT   NOT NULL PRIMARY KEY,
    -- Empty for a guest.
    customer_id   TEXT   NOT NULL,
    -- JSON: [{"sku": "...", "quantity": 1}, ...], each SKU once. Empty after everything in it was bought.
    items         TEXT   NOT NULL,
    version       BIGINT NOT NULL CHECK (version > 0),
    -- The saga that is checking this cart out; NULL if none is.
    held_by       TEXT,
    -- When it may be removed if nobody holds it; every change moves it.
    expires_at_ms BIGINT NOT NULL
);

-- What the expiry asks: carts that nobody holds, the longest expired first.
CREATE INDEX carts_idle ON carts (expires_at_ms) WHERE held_by IS NULL;

-- One row: the highest version that any removed cart had. A new cart starts above it, so that no version of any
-- cart id is ever used twice, without keeping a tombstone per cart for ever.
CREATE TABLE cart_versions (
    only_row     BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    highest_gone BIGINT NOT NULL CHECK (highest_gone >= 0)
);

INSERT INTO cart_versions (only_row, highest_gone) VALUES (1, 0);
