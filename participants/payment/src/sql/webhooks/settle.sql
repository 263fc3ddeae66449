-- Whoever worked on the same event meanwhile has raised its tries, and its result stands. $7 is 1 when nobody will look at
-- its body any more; one that is empty stays, because SQLite makes NULL of a part of nothing.
UPDATE webhooks
SET status = $4, why = $5, next_at_ms = $6, tries = tries + 1,
    body = CASE WHEN $7 = 1 AND length(body) > 0 THEN substr(body, 1, 0) ELSE body END
WHERE provider = $1 AND event_id = $2 AND tries = $3
