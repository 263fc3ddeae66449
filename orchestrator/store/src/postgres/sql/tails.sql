-- Where the sagas $1 stand.
SELECT s.id, s.root, s.shard, s.status, s.events, (SELECT max(j.seq) FROM journal j WHERE j.saga_id = s.id)
FROM unnest($1::uuid[]) AS asked (id)
JOIN sagas s ON s.id = asked.id
