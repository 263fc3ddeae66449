-- The records $2 to $3 of the sagas $1.
SELECT j.saga_id, j.seq, j.record
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS asked (saga, first, last)
JOIN journal j ON j.saga_id = asked.saga AND j.seq BETWEEN asked.first AND asked.last
