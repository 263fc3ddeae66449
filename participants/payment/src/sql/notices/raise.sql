-- A reason more is one notice all the same, told soon.
INSERT INTO notices (kind, about, root_id, raised, tries, next_at_ms, made_at_ms)
VALUES ($1, $2, $3, 1, 0, $4, $4)
ON CONFLICT (kind, about) DO UPDATE SET raised = notices.raised + 1, tries = 0, next_at_ms = excluded.next_at_ms
