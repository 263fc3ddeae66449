SELECT id, reference, amount_minor, currency, card, state, decline, capture_before_ms,
       authorized_minor, captured_minor, refunded_minor, challenge_reads, failed_voids
FROM accounts
WHERE id = $1
