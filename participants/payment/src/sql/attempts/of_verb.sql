-- How every call of one verb of a step ended.
SELECT result FROM attempts WHERE saga_id = $1 AND step = $2 AND verb = $3
