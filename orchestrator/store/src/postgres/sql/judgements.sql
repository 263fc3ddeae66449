-- The last judgement of each of these findings.
SELECT DISTINCT ON (finding) finding, is_acknowledged, what, who, why, at_ms
FROM judgements
WHERE finding = ANY ($1)
ORDER BY finding, number DESC
