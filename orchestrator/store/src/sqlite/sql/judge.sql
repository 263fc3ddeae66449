-- Writes about the finding ?1 that it is acknowledged, or not any more (?2), unless that is so already. Answers whether it
-- was written, and the last judgement of the finding, if there is one. Before that forgets the findings whose every
-- judgement is from ?7 or before. Whole ones: of a part another word would be the last.
BEGIN IMMEDIATE;

DELETE FROM judgements WHERE finding IN (
    SELECT j.finding FROM judgements j GROUP BY j.finding HAVING max(j.at_ms) <= ?7
);

INSERT INTO judgements (finding, is_acknowledged, what, who, why, at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, ?6
WHERE ?2 <> coalesce((
    SELECT j.is_acknowledged FROM judgements j WHERE j.finding = ?1 ORDER BY j.number DESC LIMIT 1
), 0);

SELECT changes();

SELECT finding, is_acknowledged, what, who, why, at_ms
FROM judgements
WHERE finding = ?1
ORDER BY number DESC
LIMIT 1;

COMMIT;
