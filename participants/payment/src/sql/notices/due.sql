SELECT kind, about, root_id, raised, tries FROM notices WHERE next_at_ms <= $1 ORDER BY next_at_ms LIMIT $2
