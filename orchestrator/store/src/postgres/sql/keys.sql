-- Who has the keys $2 of the scopes $1.
SELECT k.saga, k.request_hash, k.created_at_ms, k.scope, k.key
FROM unnest($1::text[], $2::text[]) AS asked (scope, key)
JOIN keys k ON k.scope = asked.scope AND k.key = asked.key
