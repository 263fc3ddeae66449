INSERT INTO stock_corrections (sku, revision, quantity, on_hand_after, corrected_at_ms)
VALUES ($1, $2, $3, $4, $5)
