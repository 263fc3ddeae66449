-- The events $2 of lane $1, the highest of them $3, are published in second $4: moves the watermark over every leading
-- event that is among them or held back. Marks never go back in time, even if the clock does.
WITH lane AS MATERIALIZED (SELECT watermark FROM lanes WHERE shard = $1 FOR UPDATE),
waiting AS MATERIALIZED (
    SELECT o.number, p.number IS NOT NULL OR EXISTS (
        SELECT FROM parked_roots r WHERE r.shard = $1 AND r.root = o.root AND o.number >= r.number
    ) AS passes
    FROM outbox o
    LEFT JOIN unnest($2::bigint[]) AS p (number) ON p.number = o.number
    WHERE o.shard = $1 AND o.number > (SELECT watermark FROM lane) AND o.number <= $3
),
reached AS (
    SELECT max(number) AS watermark FROM waiting
    WHERE number < coalesce((SELECT min(number) FROM waiting WHERE NOT passes), 9223372036854775807)
),
moved AS (
    UPDATE lanes l SET watermark = r.watermark
    FROM reached r
    WHERE l.shard = $1 AND r.watermark > l.watermark
    RETURNING l.watermark
)
INSERT INTO lane_marks (shard, at_s, watermark)
SELECT $1, greatest($4::bigint, coalesce((SELECT max(m.at_s) FROM lane_marks m WHERE m.shard = $1), 0)), watermark
FROM moved
ON CONFLICT (shard, at_s) DO UPDATE SET watermark = greatest(lane_marks.watermark, excluded.watermark)
