-- The live members.
SELECT node, run, address FROM members WHERE expires_at > clock_timestamp() ORDER BY node
