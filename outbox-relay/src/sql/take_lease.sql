-- Takes lanes that are free, or renews them for the owner that has them; answers only those that it has then.
-- $1 owner, $2 for how many milliseconds. {rows} has a row for each lane, {now} is the database's clock.
INSERT INTO relay_leases (lane, owner, epoch, until_ms) VALUES {rows}
ON CONFLICT (lane) DO UPDATE SET
    owner = excluded.owner,
    epoch = relay_leases.epoch + CASE WHEN relay_leases.owner = excluded.owner THEN 0 ELSE 1 END,
    until_ms = excluded.until_ms
WHERE relay_leases.owner = excluded.owner OR relay_leases.until_ms <= {now}
RETURNING lane, epoch
