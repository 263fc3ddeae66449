-- Whoever tries it at this moment may not have seen the payment: its result, perhaps that it is never due again, must not
-- stand, so its tries are raised.
UPDATE webhooks
SET next_at_ms = $3, tries = tries + 1
WHERE provider = $1 AND object_id = $2 AND status = 'parked'
