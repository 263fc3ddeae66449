INSERT INTO barrier_open (saga_id, step, saga_root, saga_name, traceparent,
                          do_kind, do_request, undo_kind, undo_request, takes, next_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, '', NULL, 0, $8)
