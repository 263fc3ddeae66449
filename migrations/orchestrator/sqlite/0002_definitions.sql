-- Versions of definitions: which there are, which nodes can run them, and which take new sagas.

-- Every version that a node has ever announced. Name and version mean one shape for ever.
CREATE TABLE definitions (
    name TEXT NOT NULL CHECK (name <> ''),
    version INTEGER NOT NULL CHECK (version BETWEEN 0 AND 4294967295),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- When it was announced first.
    announced_at_ms INTEGER NOT NULL CHECK (announced_at_ms >= 0),
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER definitions_never_change BEFORE UPDATE ON definitions
BEGIN SELECT RAISE (ABORT, 'a version of a definition never changes'); END;

-- Nodes that have announced themselves lately.
CREATE TABLE nodes (
    node TEXT NOT NULL PRIMARY KEY CHECK (node <> ''),
    seen_at_ms INTEGER NOT NULL CHECK (seen_at_ms >= 0)
) STRICT, WITHOUT ROWID;

-- What each of them can run.
CREATE TABLE node_definitions (
    node TEXT NOT NULL REFERENCES nodes (node) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (node, name, version),
    FOREIGN KEY (name, version) REFERENCES definitions (name, version)
) STRICT, WITHOUT ROWID;

-- Every switching on and off, in order; the last one of a version counts. A version without one is dark.
CREATE TABLE switches (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    is_on INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    at_ms INTEGER NOT NULL CHECK (at_ms >= 0),
    why TEXT NOT NULL CHECK (why <> ''),
    FOREIGN KEY (name, version) REFERENCES definitions (name, version)
) STRICT;

CREATE INDEX switches_by_definition ON switches (name, version, number);

CREATE TRIGGER switches_are_append_only BEFORE UPDATE ON switches
BEGIN SELECT RAISE (ABORT, 'a switch is never rewritten'); END;
