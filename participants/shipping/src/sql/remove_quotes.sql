-- The oldest first, a bounded number at a time.
DELETE FROM quotes WHERE quote_id IN (
    SELECT quote_id FROM quotes WHERE valid_until_ms < $1 ORDER BY valid_until_ms LIMIT $2
)
