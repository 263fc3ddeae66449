-- Products, their stock, and reservations of it.
--
-- The law of this database, for each SKU at any commit:
--   on_hand + reserved + sold = the sum of its counted corrections, and none of them is negative.
-- Two more follow, because every movement writes both sides in one transaction:
--   stock.reserved = the sum of its lines in reservations that are 'reserved'
--   stock.sold     = the sum of its lines in reservations that are 'sold'

CREATE TABLE products (
    sku          TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    -- Minor units of the currency, e.g. pence.
    price_minor  BIGINT NOT NULL CHECK (price_minor > 0),
    currency     TEXT   NOT NULL,
    weight_grams BIGINT NOT NULL CHECK (weight_grams >= 0),
    -- The stock that the last put stated. A put of the same value again is a retry and moves no stock.
    stated_stock BIGINT NOT NULL CHECK (stated_stock >= 0)
);

-- Apart from the product, because every checkout writes here and hardly anybody writes there.
CREATE TABLE stock (
    sku      TEXT   NOT NULL PRIMARY KEY REFERENCES products (sku),
    on_hand  BIGINT NOT NULL CHECK (on_hand >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    sold     BIGINT NOT NULL CHECK (sold >= 0),
    -- Raised by every change of on_hand and of the product: the ETag. Never lowered.
    revision BIGINT NOT NULL CHECK (revision > 0)
);

-- What people counted. The only way in which stock comes into being or vanishes; append-only.
CREATE TABLE stock_corrections (
    sku             TEXT   NOT NULL REFERENCES products (sku),
    -- The revision that the stock had after this correction.
    revision        BIGINT NOT NULL,
    quantity        BIGINT NOT NULL CHECK (quantity <> 0),
    on_hand_after   BIGINT NOT NULL CHECK (on_hand_after >= 0),
    corrected_at_ms BIGINT NOT NULL,
    PRIMARY KEY (sku, revision)
);

-- A reservation does not expire by itself: a release deletes it, a commit makes it 'sold'.
CREATE TABLE reservations (
    reservation_id TEXT   NOT NULL PRIMARY KEY,
    saga_id        TEXT   NOT NULL,
    status         TEXT   NOT NULL CHECK (status IN ('reserved', 'sold')),
    reserved_at_ms BIGINT NOT NULL,
    sold_at_ms     BIGINT,
    CHECK ((status = 'sold') = (sold_at_ms IS NOT NULL))
);

-- What a reconciler asks: whose reservations are still open?
CREATE INDEX reservations_open ON reservations (reserved_at_ms) WHERE status = 'reserved';

CREATE TABLE reservation_lines (
    reservation_id TEXT   NOT NULL REFERENCES reservations (reservation_id),
    sku            TEXT   NOT NULL REFERENCES products (sku),
    quantity       BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (reservation_id, sku)
);
