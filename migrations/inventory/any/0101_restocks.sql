-- Restocks: what of a reservation came back.
--
-- The law of the stock stays as it was: on hand + reserved + sold = the sum of counted corrections. The two that follow
-- from the reservations have a new form, because every restock writes both sides in one transaction:
--   stock.reserved = the sum of (quantity - restocked) over the lines of reservations that are 'reserved'
--   stock.sold     = the sum of (quantity - restocked) over the lines of reservations that are 'sold'
--   reservation_lines.restocked = the sum of its lines in restocks, and never more than its quantity
-- A restocked reservation stays as the record of it. One that came back whole before it was sold holds nothing, is
-- still called 'reserved', and is never sold any more.

ALTER TABLE reservation_lines ADD COLUMN restocked BIGINT NOT NULL DEFAULT 0
    CHECK (restocked >= 0 AND restocked <= quantity);

CREATE TABLE restocks (
    restock_id      TEXT   NOT NULL PRIMARY KEY,
    reservation_id  TEXT   NOT NULL REFERENCES reservations (reservation_id),
    -- The return's saga.
    saga_id         TEXT   NOT NULL,
    restocked_at_ms BIGINT NOT NULL
);

CREATE INDEX restocks_by_reservation ON restocks (reservation_id);

CREATE TABLE restock_lines (
    restock_id TEXT   NOT NULL REFERENCES restocks (restock_id),
    sku        TEXT   NOT NULL REFERENCES products (sku),
    quantity   BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (restock_id, sku)
);
