-- Several processes that share the store: who is alive, and whose lease of a shard ends when.

-- Until when the owner of a shard has it, by this database's clock; NULL: it does not end by time. A shard without an
-- owner is free.
ALTER TABLE shards ADD COLUMN expires_at_ms INTEGER;

-- Processes, one per name: the one that joined last.
CREATE TABLE members (
    node TEXT NOT NULL PRIMARY KEY CHECK (node <> ''),
    -- Its number, drawn from the counter of the epochs when it joined.
    run INTEGER NOT NULL UNIQUE CHECK (run > 0),
    -- Where other nodes call it; may be empty.
    address TEXT NOT NULL,
    -- Until when it is taken for alive.
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whoever writes here, a replaced process never comes back in place of the later one.
CREATE TRIGGER members_only_go_on BEFORE UPDATE ON members WHEN new.run < old.run
BEGIN SELECT RAISE (ABORT, 'a replaced process stays replaced'); END;

-- Recovery asks for the unfinished of some shards: with the shard in it, the index alone answers.
DROP INDEX sagas_by_status;

CREATE INDEX sagas_by_status ON sagas (status, started_at_ms, id, shard);
