-- It never goes back.
INSERT INTO barrier_forgotten (one, before_ms, whole_from_ms) VALUES (1, $1, 0)
ON CONFLICT (one) DO UPDATE SET before_ms = excluded.before_ms
WHERE excluded.before_ms > barrier_forgotten.before_ms
