-- Every version with its last switching, once for each node that can run it (once with NULLs if none can).
SELECT d.name, d.version, d.fingerprint, d.announced_at_ms, s.is_on, s.at_ms, s.why, n.node, n.seen_at_ms
FROM definitions d
LEFT JOIN switches s ON s.number = (
    SELECT max(l.number) FROM switches l WHERE l.name = d.name AND l.version = d.version
)
LEFT JOIN node_definitions a ON a.name = d.name AND a.version = d.version
LEFT JOIN nodes n ON n.node = a.node
ORDER BY d.name, d.version, n.node
