-- How far the purge has gone; never moves back.
INSERT INTO outbox_purge (one, published_before_ms) VALUES (1, $1)
ON CONFLICT (one) DO UPDATE SET published_before_ms = excluded.published_before_ms
WHERE outbox_purge.published_before_ms < excluded.published_before_ms
