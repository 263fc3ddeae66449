-- Running, waiting and compensating sagas of the shards ?1 (a JSON array) by id, answered by sagas_by_status alone: as
-- many entries as there are such sagas.
SELECT id FROM sagas INDEXED BY sagas_by_status
WHERE status IN (0, 1, 2) AND shard IN (SELECT value FROM json_each(?1)) AND id > ?2
ORDER BY id
LIMIT ?3
