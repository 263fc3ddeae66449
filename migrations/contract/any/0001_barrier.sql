-- The barrier: one row per (saga, step), written in the transaction of the effect that it guards. Whoever comes first
-- creates it, be it a do, an undo or a close; its primary key decides the race. One SQL text for SQLite and Postgres.
--
-- state    doing    an outside call may be under way or over; the provider knows
--          done     the effect is here; answer is what was answered
--          refused  no effect, for good; answer is the refusal
--          closing  no do may begin any more; the provider is being asked (aim says what for)
--          closed   an undo or a close came before any effect, or a closing one found none
--          undone   the effect was here and is taken back
CREATE TABLE barrier (
    saga_id       TEXT   NOT NULL,
    step          TEXT   NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('doing', 'done', 'refused', 'closing', 'closed', 'undone')),
    -- What a closing row is for: 'close' settles a doubt, 'undo' takes back. Empty in every other state.
    aim           TEXT   NOT NULL CHECK ((state = 'closing') = (aim IN ('close', 'undo'))),
    -- SHA-256 over the do's identity fields. NULL where no do came first.
    request_hash  BYTEA,
    -- done, and doing while the customer is waited for: the response message. refused, closed: the refusal, if any.
    answer        BYTEA,
    -- When the state was entered, Unix milliseconds.
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (saga_id, step)
);

-- Doing and closing rows have a companion here until they are settled: what it takes to go on after a crash.
-- Kept apart so that the row of a local effect stays narrow, and so that "what is open" is a small table.
CREATE TABLE barrier_open (
    saga_id      TEXT   NOT NULL,
    step         TEXT   NOT NULL,
    -- The rest of the call's metadata, for events and provider metadata.
    saga_root    TEXT   NOT NULL,
    saga_name    TEXT   NOT NULL,
    traceparent  TEXT   NOT NULL,
    -- The action's RPC and its request as the participant encoded it. Empty where an undo opened a local effect's row.
    do_kind      TEXT   NOT NULL,
    do_request   BYTEA,
    -- The undo's, from when there is one.
    undo_kind    TEXT   NOT NULL,
    undo_request BYTEA,
    -- How often it was taken up, and when it is next, Unix milliseconds: raised by compare-and-swap, so that of two
    -- processes one takes it up.
    takes        BIGINT NOT NULL,
    next_at_ms   BIGINT NOT NULL,
    -- The row of the same key in barrier is written later in the same transaction, so no foreign key says so.
    PRIMARY KEY (saga_id, step)
);

CREATE INDEX barrier_open_next ON barrier_open (next_at_ms);

-- Rows of sagas older than this may be gone; calls for such sagas are answered Expired. One row at most.
CREATE TABLE barrier_purged (
    one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    before_ms BIGINT NOT NULL
);
