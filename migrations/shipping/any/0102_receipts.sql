-- What returns asked of parcels, and what it came to; append-only. Of a return that came before its parcel was ever
-- created the row stays as the word that there will be none.
CREATE TABLE receipts (
    receipt_id TEXT NOT NULL PRIMARY KEY,
    -- No foreign key: there may be no such shipment.
    shipment_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    -- The return's saga.
    saga_id TEXT NOT NULL,
    -- cancelled: the parcel did not leave · received: the goods come back · none: there was no parcel
    outcome TEXT NOT NULL CHECK (outcome IN ('cancelled', 'received', 'none')),
    at_ms BIGINT NOT NULL
);

CREATE INDEX receipts_by_shipment ON receipts (shipment_id);

CREATE TABLE receipt_lines (
    receipt_id TEXT NOT NULL REFERENCES receipts (receipt_id),
    sku TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (receipt_id, sku)
);
