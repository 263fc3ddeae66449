-- The writer is alone between reading the account and this; the checks of the table are the second guard.
UPDATE accounts
SET card = $2, state = $3, decline = $4, capture_before_ms = $5,
    authorized_minor = $6, captured_minor = $7, refunded_minor = $8, challenge_reads = $9, failed_voids = $10
WHERE id = $1
