-- Writes about the finding $1 that it is acknowledged, or not any more ($2), unless that is so already. Answers whether it
-- was written, and the last judgement of the finding before that, if there is one.
WITH last AS MATERIALIZED (
    SELECT finding, is_acknowledged, what, who, why, at_ms
    FROM judgements
    WHERE finding = $1
    ORDER BY number DESC
    LIMIT 1
),
written AS (
    INSERT INTO judgements (finding, is_acknowledged, what, who, why, at_ms)
    SELECT $1, $2, $3, $4, $5, $6
    WHERE $2 <> coalesce((SELECT is_acknowledged FROM last), false)
    RETURNING 1
)
SELECT EXISTS (SELECT FROM written), l.finding, l.is_acknowledged, l.what, l.who, l.why, l.at_ms
FROM (SELECT 1) AS one LEFT JOIN last l ON true
