-- Run $2 of node $1 at $3 is live for $4 ms more, and so are those of its leases (shards $5, epochs $6) that have not
-- ended. Answers whether it is the last run of its node, and the leases that were renewed: their shards, their epochs.
WITH me AS (
    INSERT INTO members (node, run, address, expires_at)
    VALUES ($1, $2, $3, clock_timestamp() + $4::bigint * interval '1 millisecond')
    ON CONFLICT (node) DO UPDATE
    SET run = excluded.run, address = excluded.address, expires_at = excluded.expires_at
    WHERE members.run <= excluded.run
    RETURNING run
),
renewed AS (
    UPDATE shards s
    SET expires_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
    FROM unnest($5::integer[], $6::bigint[]) AS lease (shard, epoch)
    WHERE s.id = lease.shard AND s.epoch = lease.epoch AND s.owner = $1
        AND coalesce(s.expires_at > clock_timestamp(), true)
        AND EXISTS (SELECT FROM me)
    RETURNING s.id, s.epoch
)
SELECT EXISTS (SELECT FROM me), ARRAY(SELECT id FROM renewed ORDER BY id), ARRAY(SELECT epoch FROM renewed ORDER BY id)
