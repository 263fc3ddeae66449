-- What came back of a parcel so far, one row a product: each receipt is of a return whose money was given back.
SELECT l.sku, CAST(SUM(l.quantity) AS BIGINT) AS quantity
FROM receipts r JOIN receipt_lines l ON l.receipt_id = r.receipt_id
WHERE r.shipment_id = $1
GROUP BY l.sku
