-- One batch, one statement, one commit: all of it, or nothing but what drops out by name.
--
-- A shard's row is locked under its epoch, and every row of the batch asks for that lock before it is written. Taking a
-- shard over updates its row, so it waits for this statement, and what reads the journal after it sees all of this. If it
-- was faster, the lock finds another epoch, and all rows of that shard drop out. Without the lock both could be right
-- about what they had read, and both would write.
--
-- An event's number is counted on from its shard's row, which is updated here: no other statement can count before this
-- one has ended, so that numbers have no gaps and nobody reads one before every lower one. Should a statement of ours
-- that was given up still run, the primary key of the outbox lets one of the two write.
--
-- Parameters: 1-2 leases; 3-8 keys; 9-17 new sagas; 18-22 summaries; 23-26 records; 27-36 events. Answers the shards that
-- were held and the sagas that lost their key.
WITH held AS MATERIALIZED (
    SELECT s.id, s.numbered
    FROM unnest($1::integer[], $2::bigint[]) AS lease (shard, epoch)
    JOIN shards s ON s.id = lease.shard AND s.epoch = lease.epoch
    ORDER BY s.id
    FOR SHARE OF s
),
-- In the order of the keys, so that two nodes with the same keys wait for each other and not in a circle.
won AS (
    INSERT INTO keys (scope, key, saga, request_hash, created_at_ms)
    SELECT n.scope, n.key, n.saga, n.request_hash, n.created_at_ms
    FROM unnest($3::text[], $4::text[], $5::uuid[], $6::bytea[], $7::bigint[], $8::integer[])
        AS n (scope, key, saga, request_hash, created_at_ms, shard)
    WHERE n.shard = ANY (ARRAY(SELECT id FROM held))
    ORDER BY n.scope COLLATE "C", n.key COLLATE "C"
    ON CONFLICT (scope, key) DO NOTHING
    RETURNING saga
),
-- Of those that were not inserted, who has his key already from an earlier time has won it too.
lost AS MATERIALIZED (
    SELECT saga FROM unnest($5::uuid[]) AS n (saga)
    EXCEPT
    SELECT saga FROM won
    EXCEPT
    SELECT n.saga
    FROM unnest($3::text[], $4::text[], $5::uuid[]) AS n (scope, key, saga)
    WHERE (SELECT count(*) FROM won) < cardinality($5)
        AND (SELECT k.saga FROM keys k WHERE k.scope = n.scope AND k.key = n.key) = n.saga
),
started AS (
    INSERT INTO sagas (id, root, shard, definition, version, status, started_at_ms, updated_at_ms, events)
    SELECT n.id, n.root, n.shard, n.definition, n.version, n.status, n.started_at_ms, n.updated_at_ms, n.events
    FROM unnest(
        $9::uuid[], $10::uuid[], $11::integer[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
        $16::bigint[], $17::bigint[]
    ) AS n (id, root, shard, definition, version, status, started_at_ms, updated_at_ms, events)
    WHERE n.shard = ANY (ARRAY(SELECT id FROM held)) AND n.id <> ALL (ARRAY(SELECT saga FROM lost))
),
moved AS (
    UPDATE sagas s
    SET status = coalesce(n.status, s.status),
        updated_at_ms = greatest(s.updated_at_ms, n.updated_at_ms),
        events = s.events + n.events
    FROM unnest($18::uuid[], $19::integer[], $20::bigint[], $21::bigint[], $22::bigint[])
        AS n (id, shard, status, updated_at_ms, events)
    WHERE s.id = n.id AND n.shard = ANY (ARRAY(SELECT id FROM held))
),
recorded AS (
    INSERT INTO journal (saga_id, seq, record)
    SELECT n.saga, n.seq, n.record
    FROM unnest($23::uuid[], $24::integer[], $25::bigint[], $26::bytea[]) AS n (saga, shard, seq, record)
    WHERE n.shard = ANY (ARRAY(SELECT id FROM held)) AND n.saga <> ALL (ARRAY(SELECT saga FROM lost))
),
events AS MATERIALIZED (
    SELECT h.numbered + row_number() OVER (PARTITION BY n.shard ORDER BY n.nth) AS number,
        n.shard, n.root, n.saga, n.sequence, n.topic, n.kind, n.payload, n.traceparent, n.at_ms
    FROM unnest(
        $27::integer[], $28::bigint[], $29::uuid[], $30::uuid[], $31::bigint[], $32::text[], $33::text[],
        $34::bytea[], $35::text[], $36::bigint[]
    ) AS n (shard, nth, root, saga, sequence, topic, kind, payload, traceparent, at_ms)
    JOIN held h ON h.id = n.shard
    WHERE n.saga <> ALL (ARRAY(SELECT saga FROM lost))
),
published AS (
    INSERT INTO outbox (number, root, saga, sequence, at_ms, shard, topic, kind, traceparent, payload)
    SELECT number, root, saga, sequence, at_ms, shard, topic, kind, traceparent, payload
    FROM events
    ORDER BY shard, number
),
counted AS (
    UPDATE shards s SET numbered = e.last
    FROM (SELECT shard, max(number) AS last FROM events GROUP BY shard) AS e
    WHERE s.id = e.shard
)
SELECT ARRAY(SELECT id FROM held), ARRAY(SELECT saga FROM lost)
