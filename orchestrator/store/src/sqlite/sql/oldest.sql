-- The oldest of all sagas that have not ended, parked or not, by its id: one of version 7. Answered by sagas_by_status
-- alone: as many entries as there are such sagas.
SELECT id FROM sagas INDEXED BY sagas_by_status
WHERE status IN (0, 1, 2, 3) AND substr(hex(id), 13, 1) = '7'
ORDER BY id
LIMIT 1
