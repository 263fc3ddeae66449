-- The oldest of all sagas that have not ended, parked or not, by its id: one of version 7. Found by their status, as in
-- unfinished.sql.
WITH open AS MATERIALIZED (SELECT id FROM sagas WHERE status IN (0, 1, 2, 3))
SELECT id FROM open
WHERE substr(id::text, 15, 1) = '7'
ORDER BY id
LIMIT 1
