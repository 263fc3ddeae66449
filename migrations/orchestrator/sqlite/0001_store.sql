-- The orchestrator's store. Ids are 16 bytes, times Unix milliseconds. Every constraint is a second wall: the store
-- decides first, and a row that it should not have written is refused here.

-- One row per shard; their count is fixed when the database is created.
CREATE TABLE shards (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id BETWEEN 0 AND 65535),
    -- Who acquired it last; empty before anybody did.
    owner TEXT NOT NULL,
    -- The fencing token: records decided under another epoch are not written.
    epoch INTEGER NOT NULL UNIQUE CHECK (epoch > 0)
) STRICT;

-- Numbers that only grow. `epoch`: the last one drawn for any shard.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY CHECK (name = 'epoch'),
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('epoch', 0);

-- Whoever writes here, no epoch is ever drawn twice.
CREATE TRIGGER counters_only_grow BEFORE UPDATE ON counters WHEN new.value < old.value
BEGIN SELECT RAISE (ABORT, 'a counter never goes back'); END;

-- What listing and recovery need without reading a journal.
CREATE TABLE sagas (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- The saga at the root of the family, the key of its events; often itself.
    root BLOB NOT NULL CHECK (length(root) = 16),
    shard INTEGER NOT NULL REFERENCES shards (id),
    definition TEXT NOT NULL CHECK (definition <> ''),
    version INTEGER NOT NULL CHECK (version BETWEEN 0 AND 4294967295),
    -- 0 running, 1 waiting, 2 compensating, 3 parked, 4 completed, 5 compensated.
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 5),
    started_at_ms INTEGER NOT NULL CHECK (started_at_ms >= 0),
    -- When the status last changed.
    updated_at_ms INTEGER NOT NULL CHECK (updated_at_ms >= 0),
    -- How many events it has published: the sequence of its last one.
    events INTEGER NOT NULL CHECK (events >= 0)
) STRICT, WITHOUT ROWID;

-- Listing, newest first.
CREATE INDEX sagas_by_start ON sagas (started_at_ms, id);
-- Listing what has a status, recovery (0 to 2), and retention (4 and 5, oldest first).
CREATE INDEX sagas_by_status ON sagas (status, started_at_ms, id);

-- Idempotency keys. They outlive their saga where it is purged sooner than they are.
CREATE TABLE keys (
    scope TEXT NOT NULL,
    key TEXT NOT NULL CHECK (key <> ''),
    -- The saga that was started with it; NULL where the key was blocked unused.
    saga BLOB CHECK (length(saga) = 16),
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    created_at_ms INTEGER NOT NULL CHECK (created_at_ms >= 0),
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- Retention of keys, oldest first.
CREATE INDEX keys_by_age ON keys (created_at_ms, scope, key);

-- The append-only history of every saga: contiguous from 1, never changed. Rows lie in the order in which they were
-- written, not by saga: a commit for many sagas then fills the last page instead of touching a page of each.
CREATE TABLE journal (
    saga_id BLOB NOT NULL REFERENCES sagas (id),
    seq INTEGER NOT NULL CHECK (seq BETWEEN 1 AND 4294967295),
    -- An encoded backstitch.journal.v1.Record.
    record BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX journal_by_saga ON journal (saga_id, seq);

CREATE TRIGGER journal_is_append_only BEFORE UPDATE ON journal
BEGIN SELECT RAISE (ABORT, 'a record is never changed'); END;

-- Events in commit order per shard, until some time after they are published. An event's id is derived from its
-- saga and sequence, so it is not stored. No foreign key to sagas: a saga may be purged before its events are.
CREATE TABLE outbox (
    shard INTEGER NOT NULL REFERENCES shards (id),
    -- Its place in the lane: contiguous from 1.
    number INTEGER NOT NULL CHECK (number > 0),
    root BLOB NOT NULL CHECK (length(root) = 16),
    saga BLOB NOT NULL CHECK (length(saga) = 16),
    -- Its place among the events of its saga: contiguous from 1.
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    topic TEXT NOT NULL CHECK (topic <> ''),
    kind TEXT NOT NULL CHECK (kind <> ''),
    payload BLOB NOT NULL,
    -- W3C trace context, or empty.
    traceparent TEXT NOT NULL,
    at_ms INTEGER NOT NULL CHECK (at_ms >= 0),
    PRIMARY KEY (shard, number)
) STRICT, WITHOUT ROWID;

-- How far each lane is published: every event up to the watermark is, or is held back with its root.
CREATE TABLE lanes (
    shard INTEGER NOT NULL PRIMARY KEY REFERENCES shards (id),
    watermark INTEGER NOT NULL CHECK (watermark >= 0)
) STRICT;

CREATE TRIGGER lanes_only_go_on BEFORE UPDATE ON lanes WHEN new.watermark < old.watermark
BEGIN SELECT RAISE (ABORT, 'a watermark never goes back'); END;

-- When the watermark got where, one row per second in which it moved: the retention of published events.
CREATE TABLE lane_marks (
    shard INTEGER NOT NULL REFERENCES shards (id),
    at_s INTEGER NOT NULL CHECK (at_s >= 0),
    watermark INTEGER NOT NULL CHECK (watermark > 0),
    PRIMARY KEY (shard, at_s)
) STRICT, WITHOUT ROWID;

-- Roots with an event that cannot be published: it and their later events are held back for a person.
CREATE TABLE parked_roots (
    shard INTEGER NOT NULL REFERENCES shards (id),
    root BLOB NOT NULL CHECK (length(root) = 16),
    -- The poisoned event.
    number INTEGER NOT NULL CHECK (number > 0),
    why TEXT NOT NULL,
    at_ms INTEGER NOT NULL CHECK (at_ms >= 0),
    PRIMARY KEY (shard, root)
) STRICT, WITHOUT ROWID;
