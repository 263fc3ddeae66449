INSERT INTO products (sku, name, price_minor, currency, weight_grams, stated_stock)
VALUES ($1, $2, $3, $4, $5, $6)
