-- $1 now, $2 at most so many. The conditions stand twice on purpose: a cart that was held or changed between being
-- chosen and being deleted is checked again on the row itself.
DELETE FROM carts
WHERE cart_id IN (
        SELECT cart_id
        FROM carts
        WHERE held_by IS NULL
          AND expires_at_ms <= $1
        ORDER BY expires_at_ms
        LIMIT $2
    )
  AND held_by IS NULL
  AND expires_at_ms <= $1
RETURNING version
