-- A call that the provider surely did not execute is about to be sent once more: its age begins anew.
UPDATE payments SET updated_at_ms = $2 WHERE payment_id = $1
