-- Whoever worked on the same event meanwhile has raised its tries, and its result stands.
UPDATE webhooks
SET status = $4, why = $5, next_at_ms = $6, tries = tries + 1
WHERE provider = $1 AND event_id = $2 AND tries = $3
