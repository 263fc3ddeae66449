-- Forgets the findings whose every judgement is from $1 or before. Whole ones: of a part another word would be the last.
DELETE FROM judgements j USING (
    SELECT finding FROM judgements GROUP BY finding HAVING max(at_ms) <= $1
) AS old
WHERE j.finding = old.finding
