-- Nothing is written when the id is taken: the caller reads that off the row count, because an error would end the
-- whole transaction on Postgres.
INSERT INTO quotes (
    quote_id, saga_id, country, zone, method, weight_grams, price_minor, currency, created_at_ms, valid_until_ms
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
