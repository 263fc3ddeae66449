-- The compare-and-swap of a claim: what is not there to be claimed is not, and the row count tells.
UPDATE order_items SET returned = returned + claimed.quantity
FROM order_return_lines AS claimed, order_returns AS r
WHERE claimed.return_id = $1 AND r.return_id = $1
AND order_items.order_id = r.order_id AND order_items.line = claimed.line
AND order_items.returned + claimed.quantity <= order_items.quantity
