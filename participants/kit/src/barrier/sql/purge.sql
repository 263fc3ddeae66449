-- Settled rows of old sagas. Saga ids are UUIDv7 in lower case, so their text sorts by time. An open row keeps the
-- mark below its own saga, so none is met here; the outer condition looks again at a row that another process moved
-- meanwhile.
DELETE FROM barrier
WHERE (saga_id, step) IN (
    SELECT saga_id, step FROM barrier
    WHERE saga_id < $1 AND state NOT IN ('doing', 'closing')
    ORDER BY saga_id
    LIMIT $2
)
  AND state NOT IN ('doing', 'closing')
