-- Forgets at most ?2 finished sagas that did not change after ?1, oldest first, and at most ?2 keys from ?3 or
-- before whose saga is not there. Answers how many of each. Both choices are the same when they are made twice:
-- taking a journal away changes nothing about the sagas.
BEGIN IMMEDIATE;

DELETE FROM journal WHERE saga_id IN (
    SELECT id FROM sagas INDEXED BY sagas_by_start
    WHERE status IN (4, 5) AND started_at_ms <= ?1 AND updated_at_ms <= ?1
    ORDER BY started_at_ms, id
    LIMIT ?2
);

DELETE FROM sagas WHERE id IN (
    SELECT id FROM sagas INDEXED BY sagas_by_start
    WHERE status IN (4, 5) AND started_at_ms <= ?1 AND updated_at_ms <= ?1
    ORDER BY started_at_ms, id
    LIMIT ?2
);

SELECT changes();

DELETE FROM keys WHERE (scope, key) IN (
    SELECT k.scope, k.key FROM keys k INDEXED BY keys_by_age
    WHERE k.created_at_ms <= ?3 AND NOT EXISTS (SELECT 1 FROM sagas s WHERE s.id = k.saga)
    ORDER BY k.created_at_ms, k.scope, k.key
    LIMIT ?2
);

SELECT changes();

COMMIT;
