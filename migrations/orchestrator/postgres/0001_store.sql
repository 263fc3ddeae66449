-- The orchestrator's store in Postgres. Times are Unix milliseconds. Names are compared byte by byte (COLLATE "C").
-- Every constraint is a second wall: the store decides first, and a row that it should not have written is refused here.
--
-- No foreign keys on what a batch writes: a check of one locks the row that it points at, once for every record. That
-- the saga and its shard are there is held by the lock on the shard that every batch takes.

-- One row per shard; their count is fixed when the database is created. Updated in place by every batch with events.
CREATE TABLE shards (
    id integer NOT NULL PRIMARY KEY CHECK (id BETWEEN 0 AND 65535),
    -- The node that took it last; empty if none ever did, or if that one gave it back.
    owner text COLLATE "C" NOT NULL,
    -- The fencing token: records decided under another epoch are not written.
    epoch bigint NOT NULL UNIQUE CHECK (epoch > 0),
    -- Until when the owner has it, by this database's clock; NULL: it does not end by time.
    expires_at timestamptz,
    -- The number of the last event of its lane.
    numbered bigint NOT NULL CHECK (numbered >= 0)
) WITH (fillfactor = 50);

-- Numbers that only grow. `epoch`: the last one drawn for any shard, or for a run of a member.
CREATE TABLE counters (
    name text COLLATE "C" NOT NULL PRIMARY KEY CHECK (name = 'epoch'),
    value bigint NOT NULL CHECK (value >= 0)
);

INSERT INTO counters (name, value) VALUES ('epoch', 0);

-- Answers every rule of the kind "this is never changed so"; the rule's words are the trigger's argument.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- Whoever writes here, no epoch is ever drawn twice.
CREATE TRIGGER counters_only_grow BEFORE UPDATE ON counters
FOR EACH ROW WHEN (new.value < old.value) EXECUTE FUNCTION refuse_change('a counter never goes back');

-- What listing and recovery need without reading a journal. Room is left in every page, so that most updates stay in it.
CREATE TABLE sagas (
    id uuid NOT NULL PRIMARY KEY,
    -- The saga at the root of the family, the key of its events; often itself.
    root uuid NOT NULL,
    started_at_ms bigint NOT NULL CHECK (started_at_ms >= 0),
    -- When the status last changed.
    updated_at_ms bigint NOT NULL CHECK (updated_at_ms >= 0),
    version bigint NOT NULL CHECK (version BETWEEN 0 AND 4294967295),
    -- How many events it has published: the sequence of its last one.
    events bigint NOT NULL CHECK (events >= 0),
    shard integer NOT NULL,
    -- 0 running, 1 waiting, 2 compensating, 3 parked, 4 completed, 5 compensated.
    status smallint NOT NULL CHECK (status BETWEEN 0 AND 5),
    definition text COLLATE "C" NOT NULL CHECK (definition <> '')
) WITH (fillfactor = 85);

-- Listing, newest first.
CREATE INDEX sagas_by_start ON sagas (started_at_ms, id);
-- Listing what has a status, recovery (0 to 2, with the shard from the index alone), and retention (4 and 5).
CREATE INDEX sagas_by_status ON sagas (status, started_at_ms, id, shard);

-- Idempotency keys. They outlive their saga where it is purged sooner than they are.
CREATE TABLE keys (
    scope text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (key <> ''),
    -- The saga that was started with it; NULL where the key was blocked unused.
    saga uuid,
    request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
    created_at_ms bigint NOT NULL CHECK (created_at_ms >= 0),
    PRIMARY KEY (scope, key)
);

-- Retention of keys, oldest first.
CREATE INDEX keys_by_age ON keys (created_at_ms);

-- The append-only history of every saga: contiguous from 1, never changed. Rows lie in the order in which they were
-- written. A record is small and read as often as its row: it is not worth the time to compress it.
CREATE TABLE journal (
    saga_id uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq BETWEEN 1 AND 4294967295),
    -- An encoded backstitch.journal.v1.Record.
    record bytea NOT NULL,
    PRIMARY KEY (saga_id, seq)
);

CREATE TRIGGER journal_is_append_only BEFORE UPDATE ON journal
FOR EACH ROW EXECUTE FUNCTION refuse_change('a record is never changed');

-- Events in commit order per shard, until some time after they are published. An event's id is derived from its
-- saga and sequence, so it is not stored.
CREATE TABLE outbox (
    -- Its place in the lane: contiguous from 1.
    number bigint NOT NULL CHECK (number > 0),
    root uuid NOT NULL,
    saga uuid NOT NULL,
    -- Its place among the events of its saga: contiguous from 1.
    sequence bigint NOT NULL CHECK (sequence > 0),
    at_ms bigint NOT NULL CHECK (at_ms >= 0),
    shard integer NOT NULL,
    topic text COLLATE "C" NOT NULL CHECK (topic <> ''),
    kind text COLLATE "C" NOT NULL CHECK (kind <> ''),
    -- W3C trace context, or empty.
    traceparent text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (shard, number)
);

-- How far each lane is published: every event up to the watermark is, or is held back with its root. Beside the shard,
-- so that publishing and committing do not wait for each other.
CREATE TABLE lanes (
    shard integer NOT NULL PRIMARY KEY REFERENCES shards (id),
    watermark bigint NOT NULL CHECK (watermark >= 0)
) WITH (fillfactor = 50);

CREATE TRIGGER lanes_only_go_on BEFORE UPDATE ON lanes
FOR EACH ROW WHEN (new.watermark < old.watermark) EXECUTE FUNCTION refuse_change('a watermark never goes back');

-- When the watermark got where, one row per second in which it moved: the retention of published events.
CREATE TABLE lane_marks (
    shard integer NOT NULL REFERENCES shards (id),
    at_s bigint NOT NULL CHECK (at_s >= 0),
    watermark bigint NOT NULL CHECK (watermark > 0),
    PRIMARY KEY (shard, at_s)
);

-- Roots with an event that cannot be published: it and their later events are held back for a person.
CREATE TABLE parked_roots (
    shard integer NOT NULL REFERENCES shards (id),
    root uuid NOT NULL,
    -- The poisoned event.
    number bigint NOT NULL CHECK (number > 0),
    why text NOT NULL,
    at_ms bigint NOT NULL CHECK (at_ms >= 0),
    PRIMARY KEY (shard, root)
);
