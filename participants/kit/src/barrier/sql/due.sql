-- Open rows that are due, with what the barrier says about them now.
SELECT o.saga_id, o.step, o.saga_root, o.saga_name, o.traceparent, o.do_kind, o.do_request,
       o.undo_kind, o.undo_request, o.takes, o.next_at_ms, b.state, b.aim
FROM barrier_open o
JOIN barrier b ON b.saga_id = o.saga_id AND b.step = o.step
WHERE o.next_at_ms <= $1
ORDER BY o.next_at_ms
LIMIT $2
