-- Offers that were made. A quote is never changed and expires by itself; nothing reads it again to ship.
CREATE TABLE quotes (
    quote_id TEXT NOT NULL PRIMARY KEY,
    saga_id TEXT NOT NULL,
    country TEXT NOT NULL,
    zone TEXT NOT NULL,
    method TEXT NOT NULL,
    weight_grams BIGINT NOT NULL CHECK (weight_grams >= 0),
    price_minor BIGINT NOT NULL CHECK (price_minor >= 0),
    currency TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    valid_until_ms BIGINT NOT NULL CHECK (valid_until_ms > created_at_ms)
);

-- For removing quotes that nobody can be waiting for.
CREATE INDEX quotes_by_end ON quotes (valid_until_ms);

-- Parcels handed to the carrier, with all that the label needs.
CREATE TABLE shipments (
    shipment_id TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL,
    -- The saga that created the shipment; no other may cancel it.
    saga_id TEXT NOT NULL,
    -- Derived from the shipment's id, so that a repeated call names the same parcel.
    tracking_number TEXT NOT NULL UNIQUE,
    method TEXT NOT NULL,
    weight_grams BIGINT NOT NULL CHECK (weight_grams >= 0),
    status TEXT NOT NULL CHECK (status IN ('created', 'cancelled')),
    to_name TEXT NOT NULL,
    to_line1 TEXT NOT NULL,
    to_line2 TEXT NOT NULL,
    to_city TEXT NOT NULL,
    to_region TEXT NOT NULL,
    to_postal_code TEXT NOT NULL,
    to_country TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

-- What happened to a parcel, append-only.
CREATE TABLE tracking_events (
    shipment_id TEXT NOT NULL REFERENCES shipments (shipment_id),
    -- From 1 per shipment.
    seq BIGINT NOT NULL CHECK (seq > 0),
    status TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (shipment_id, seq)
);
