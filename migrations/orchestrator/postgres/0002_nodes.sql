-- Processes that share the store, and versions of definitions: which there are, which nodes can run them, and which take
-- new sagas.

-- Processes, one per name: the one that joined last.
CREATE TABLE members (
    node text COLLATE "C" NOT NULL PRIMARY KEY CHECK (node <> ''),
    -- Its number, drawn from the counter of the epochs when it joined.
    run bigint NOT NULL UNIQUE CHECK (run > 0),
    -- Where other nodes call it; may be empty.
    address text NOT NULL,
    -- Until when it is taken for alive, by this database's clock.
    expires_at timestamptz NOT NULL
);

-- Whoever writes here, a replaced process never comes back in place of the later one.
CREATE TRIGGER members_only_go_on BEFORE UPDATE ON members
FOR EACH ROW WHEN (new.run < old.run) EXECUTE FUNCTION refuse_change('a replaced process stays replaced');

-- Every version that a node has ever announced. Name and version mean one shape for ever.
CREATE TABLE definitions (
    name text COLLATE "C" NOT NULL CHECK (name <> ''),
    version bigint NOT NULL CHECK (version BETWEEN 0 AND 4294967295),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    -- When it was announced first.
    announced_at_ms bigint NOT NULL CHECK (announced_at_ms >= 0),
    PRIMARY KEY (name, version)
);

CREATE TRIGGER definitions_never_change BEFORE UPDATE ON definitions
FOR EACH ROW EXECUTE FUNCTION refuse_change('a version of a definition never changes');

-- Nodes that have announced themselves lately.
CREATE TABLE nodes (
    node text COLLATE "C" NOT NULL PRIMARY KEY CHECK (node <> ''),
    seen_at_ms bigint NOT NULL CHECK (seen_at_ms >= 0)
);

-- What each of them can run.
CREATE TABLE node_definitions (
    node text COLLATE "C" NOT NULL REFERENCES nodes (node) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (node, name, version),
    FOREIGN KEY (name, version) REFERENCES definitions (name, version)
);

-- Every switching on and off, in order; the last one of a version counts. A version without one is dark.
CREATE TABLE switches (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    is_on boolean NOT NULL,
    at_ms bigint NOT NULL CHECK (at_ms >= 0),
    why text NOT NULL CHECK (why <> ''),
    FOREIGN KEY (name, version) REFERENCES definitions (name, version)
);

CREATE INDEX switches_by_definition ON switches (name, version, number);

CREATE TRIGGER switches_are_append_only BEFORE UPDATE ON switches
FOR EACH ROW EXECUTE FUNCTION refuse_change('a switch is never rewritten');
