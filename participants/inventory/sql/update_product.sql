UPDATE products
SET name = $2, price_minor = $3, currency = $4, weight_grams = $5, stated_stock = $6
WHERE sku = $1
