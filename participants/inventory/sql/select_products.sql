-- The products among some SKUs, with their stock.
SELECT p.sku, p.name, p.price_minor, p.currency, p.weight_grams, p.stated_stock,
       s.on_hand, s.reserved, s.sold, s.revision
FROM products p
JOIN stock s ON s.sku = p.sku
WHERE p.sku IN (VALUES {rows})
