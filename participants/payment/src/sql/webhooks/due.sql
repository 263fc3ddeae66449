-- What is new before what is parked, each by its own part of the index: of what is parked most is not due. That none is
-- done is said for SQLite, which does not see that the index has them all.
SELECT event_id, kind, object_id, status, why, tries, received_at_ms
FROM (
    SELECT * FROM (
        SELECT event_id, kind, object_id, status, why, tries, received_at_ms, next_at_ms, 0 AS place
        FROM webhooks
        WHERE provider = $1 AND status = 'waiting' AND status <> 'done' AND next_at_ms <= $2
        ORDER BY next_at_ms
        LIMIT $3) AS waiting
    UNION ALL
    SELECT * FROM (
        SELECT event_id, kind, object_id, status, why, tries, received_at_ms, next_at_ms, 1 AS place
        FROM webhooks
        WHERE provider = $1 AND status = 'parked' AND status <> 'done' AND next_at_ms <= $2
        ORDER BY next_at_ms
        LIMIT $3) AS parked) AS due
ORDER BY place, next_at_ms
LIMIT $3
