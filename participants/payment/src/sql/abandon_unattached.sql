-- Ends a payment of which the provider has no object that anybody could confirm; from here on none can be attached.
UPDATE payments
SET status = 'voided', updated_at_ms = $2
WHERE payment_id = $1 AND status IN ('authorizing', 'voiding') AND provider_id = ''
