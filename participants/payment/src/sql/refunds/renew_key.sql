-- The provider has forgotten the key; from now on it lasts again. By compare-and-swap, so that of two one asks.
UPDATE refunds
SET key_from_ms = $3
WHERE refund_id = $1 AND key_from_ms = $2 AND status = 'pending'
