-- Orders whose parcel has left, as the shipping participant's events say. Beside the order's own life, which is the
-- checkout's: an order that is shipped still stands as confirmed.
CREATE TABLE shipped_orders (
    order_id TEXT NOT NULL PRIMARY KEY REFERENCES orders (order_id),
    shipment_id TEXT NOT NULL,
    tracking_number TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
