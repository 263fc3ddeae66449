-- Takes a lane that is free, or renews it for the owner that has it; answers nothing where another one has it.
-- $1 lane, $2 owner, $3 for how many milliseconds. {now} is the database's clock.
INSERT INTO relay_leases (lane, owner, epoch, until_ms) VALUES ($1, $2, 1, {now} + $3)
ON CONFLICT (lane) DO UPDATE SET
    owner = excluded.owner,
    epoch = relay_leases.epoch + CASE WHEN relay_leases.owner = excluded.owner THEN 0 ELSE 1 END,
    until_ms = excluded.until_ms
WHERE relay_leases.owner = excluded.owner OR relay_leases.until_ms <= {now}
RETURNING epoch
