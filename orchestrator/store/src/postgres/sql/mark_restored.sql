-- Now, $1; and later than every saga that is there, whatever clock it was started by.
INSERT INTO restores (at_ms)
SELECT greatest($1, (SELECT coalesce(max(started_at_ms), -1) + 1 FROM sagas))
ON CONFLICT (at_ms) DO NOTHING
