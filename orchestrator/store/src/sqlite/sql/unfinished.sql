-- Running, waiting and compensating sagas by id, served by sagas_by_status: as many rows as there are such sagas.
SELECT id FROM sagas INDEXED BY sagas_by_status
WHERE status IN (0, 1, 2) AND id > ?1
ORDER BY id
LIMIT ?2
