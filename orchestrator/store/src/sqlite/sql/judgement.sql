SELECT finding, is_acknowledged, what, who, why, at_ms
FROM judgements
WHERE finding = ?1
ORDER BY number DESC
LIMIT 1
