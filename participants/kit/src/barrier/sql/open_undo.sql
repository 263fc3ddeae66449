-- A doing row has a companion already and the undo joins it; a done row's was deleted when it was settled.
INSERT INTO barrier_open (saga_id, step, saga_root, saga_name, traceparent,
                          do_kind, do_request, undo_kind, undo_request, takes, next_at_ms)
VALUES ($1, $2, $3, $4, $5, '', NULL, $6, $7, 0, $8)
ON CONFLICT (saga_id, step) DO UPDATE
SET undo_kind = excluded.undo_kind, undo_request = excluded.undo_request, next_at_ms = excluded.next_at_ms
