-- What sending costs in a currency without decimals, and in one with three, in steps of ten: banks take no smaller ones.
-- Whoever has rates of their own in these keeps them.
INSERT INTO rates
    (zone, method, max_weight_grams, currency, base_weight_grams, base_price_minor, extra_kg_minor)
VALUES
    ('domestic', 'economy',    10000, 'JPY',   2000,    560,   65),
    ('domestic', 'economy',    10000, 'KWD',   2000,   1140,  130),
    ('domestic', 'standard',   30000, 'JPY',   2000,    750,   95),
    ('domestic', 'standard',   30000, 'KWD',   2000,   1520,  190),
    ('domestic', 'standard', 2000000, 'JPY', 100000,   9300,   55),
    ('domestic', 'standard', 2000000, 'KWD', 100000,  18860,  120),
    ('domestic', 'express',    25000, 'JPY',   2000,   1320,  180),
    ('domestic', 'express',    25000, 'KWD',   2000,   2680,  370),

    ('eu',       'standard',   30000, 'JPY',   2000,   1700,  305),
    ('eu',       'standard',   30000, 'KWD',   2000,   3450,  620),
    ('eu',       'standard', 1500000, 'JPY', 100000,  22600,  160),
    ('eu',       'standard', 1500000, 'KWD', 100000,  45820,  330),
    ('eu',       'express',    25000, 'JPY',   2000,   3600,  645),
    ('eu',       'express',    25000, 'KWD',   2000,   7300, 1310),

    ('world',    'standard',   30000, 'JPY',   1000,   2850, 1045),
    ('world',    'standard',   30000, 'KWD',   1000,   5760, 2120),
    ('world',    'standard', 1000000, 'JPY', 100000,  66300,  610),
    ('world',    'standard', 1000000, 'KWD', 100000, 134400, 1230),
    ('world',    'express',    20000, 'JPY',   1000,   5700, 1805),
    ('world',    'express',    20000, 'KWD',   1000,  11530, 3660)
ON CONFLICT (zone, method, max_weight_grams, currency) DO NOTHING;
