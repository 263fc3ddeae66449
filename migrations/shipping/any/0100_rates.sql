-- What sending costs. Which country lies in which zone is geography and lives in the code; prices change, and live
-- here, so that an operator can change them without a new build. A quote copies its price: changing a rate changes
-- no quote that was given.

-- One row per zone, method, tier and currency. A parcel belongs to the lightest tier of its method that takes it;
-- it costs base_price up to base_weight, and extra_kg for each started kilogram beyond. Prices are fixed per
-- currency, never converted.
CREATE TABLE rates (
    zone TEXT NOT NULL CHECK (zone IN ('domestic', 'eu', 'world')),
    method TEXT NOT NULL,
    -- The heaviest parcel of this tier.
    max_weight_grams BIGINT NOT NULL CHECK (max_weight_grams > 0),
    currency TEXT NOT NULL,
    base_weight_grams BIGINT NOT NULL CHECK (base_weight_grams > 0),
    base_price_minor BIGINT NOT NULL CHECK (base_price_minor >= 0),
    extra_kg_minor BIGINT NOT NULL CHECK (extra_kg_minor >= 0),
    PRIMARY KEY (zone, method, max_weight_grams, currency)
);

INSERT INTO rates
    (zone, method, max_weight_grams, currency, base_weight_grams, base_price_minor, extra_kg_minor)
VALUES
    ('domestic', 'economy',    10000, 'GBP',   2000,   295,   35),
    ('domestic', 'economy',    10000, 'EUR',   2000,   345,   40),
    ('domestic', 'economy',    10000, 'USD',   2000,   375,   45),
    ('domestic', 'standard',   30000, 'GBP',   2000,   395,   50),
    ('domestic', 'standard',   30000, 'EUR',   2000,   465,   60),
    ('domestic', 'standard',   30000, 'USD',   2000,   495,   65),
    -- Beyond a parcel: a pallet.
    ('domestic', 'standard', 2000000, 'GBP', 100000,  4900,   30),
    ('domestic', 'standard', 2000000, 'EUR', 100000,  5750,   35),
    ('domestic', 'standard', 2000000, 'USD', 100000,  6200,   40),
    ('domestic', 'express',    25000, 'GBP',   2000,   695,   95),
    ('domestic', 'express',    25000, 'EUR',   2000,   815,  110),
    ('domestic', 'express',    25000, 'USD',   2000,   875,  120),

    ('eu',       'standard',   30000, 'GBP',   2000,   895,  160),
    ('eu',       'standard',   30000, 'EUR',   2000,  1050,  190),
    ('eu',       'standard',   30000, 'USD',   2000,  1125,  200),
    ('eu',       'standard', 1500000, 'GBP', 100000, 11900,   85),
    ('eu',       'standard', 1500000, 'EUR', 100000, 13900,  100),
    ('eu',       'standard', 1500000, 'USD', 100000, 14900,  110),
    ('eu',       'express',    25000, 'GBP',   2000,  1895,  340),
    ('eu',       'express',    25000, 'EUR',   2000,  2195,  400),
    ('eu',       'express',    25000, 'USD',   2000,  2375,  430),

    ('world',    'standard',   30000, 'GBP',   1000,  1495,  550),
    ('world',    'standard',   30000, 'EUR',   1000,  1750,  645),
    ('world',    'standard',   30000, 'USD',   1000,  1895,  690),
    ('world',    'standard', 1000000, 'GBP', 100000, 34900,  320),
    ('world',    'standard', 1000000, 'EUR', 100000, 40900,  375),
    ('world',    'standard', 1000000, 'USD', 100000, 43900,  400),
    ('world',    'express',    20000, 'GBP',   1000,  2995,  950),
    ('world',    'express',    20000, 'EUR',   1000,  3495, 1110),
    ('world',    'express',    20000, 'USD',   1000,  3750, 1190);
