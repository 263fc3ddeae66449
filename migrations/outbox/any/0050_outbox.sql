-- The transactional outbox of a participant: events wait here, in the effect's own commit, until the relay
-- has an acknowledgement for them. One SQL text for SQLite and Postgres.

-- One counter row per (source, key). Whoever appends takes it first and so holds its lock until the effect
-- commits: that is what makes the numbers of one key come out in commit order on a database with many writers.
-- These rows are never deleted: a key may speak again years later and must go on counting.
CREATE TABLE outbox_keys (
    source        TEXT   NOT NULL,
    key           TEXT   NOT NULL,
    -- The last ce_sequence given out for this key; the first is 1 and there are no holes.
    last_sequence BIGINT NOT NULL,
    -- The last row number given out for this key; numbers grow along a key and mean nothing across keys.
    last_number   BIGINT NOT NULL,
    -- 'open', or 'held' while a parked row of this key waits for a person: later rows are then born held.
    state         TEXT   NOT NULL DEFAULT 'open',
    PRIMARY KEY (source, key),
    CHECK (state IN ('open', 'held'))
);

CREATE TABLE outbox (
    -- Unique over the table, growing along a key. The relay reads unmarked rows in this order and keeps no
    -- cursor: a row that commits late with a low number is found like any other.
    number          BIGINT NOT NULL PRIMARY KEY,
    -- ce_id
    event_id        TEXT   NOT NULL,
    source          TEXT   NOT NULL,
    -- The root saga's id, or the SKU or cart of an event outside any saga. Also the Kafka key.
    key             TEXT   NOT NULL,
    -- ce_sequence
    sequence        BIGINT NOT NULL,
    topic           TEXT   NOT NULL,
    -- ce_type
    kind            TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    -- JSON, UTF-8
    payload         BYTEA  NOT NULL,
    -- W3C trace context; empty when the effect had none.
    traceparent     TEXT   NOT NULL,
    at_ms           BIGINT NOT NULL,
    -- waiting -> published; waiting -> parked (poison, a person must look); held: behind a parked row of its key.
    state           TEXT   NOT NULL DEFAULT 'waiting',
    -- When the acknowledgement was recorded; the retention counts from here.
    published_at_ms BIGINT,
    parked_at_ms    BIGINT,
    parked_why      TEXT,
    CHECK (state IN ('waiting', 'held', 'parked', 'published')),
    UNIQUE (source, key, sequence)
);

-- The relay's reading order. Partial: the index is as small as the backlog, however many rows are kept.
CREATE INDEX outbox_waiting ON outbox (number) WHERE state = 'waiting';
-- The purge, oldest first.
CREATE INDEX outbox_published ON outbox (published_at_ms) WHERE state = 'published';
-- What a person must look at, and what waits behind it.
CREATE INDEX outbox_stuck ON outbox (source, key, number) WHERE state IN ('held', 'parked');

-- How far the purge has gone: rows published before this moment may be gone, so a key's kept rows may begin
-- above 1. Nothing published later is ever missing. One row at most.
CREATE TABLE outbox_purge (
    one              BIGINT NOT NULL PRIMARY KEY,
    published_before_ms BIGINT NOT NULL,
    CHECK (one = 1)
);
