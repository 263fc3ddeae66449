-- Rows are deleted a saga at a time from now on, and the mark no longer waits for the oldest open row: a saga that has one
-- stays whole behind it. So a saga older than the mark that has a row lacks none. That is not so of what was deleted
-- before, row by row: `whole_from_ms` is the mark of then, and below it a missing row proves nothing.
--
-- A table of another name on purpose: a program of before that still runs would delete rows of sagas that are kept. It
-- finds no mark any more, deletes nothing, and answers calls that would need one with *not now*, until it is replaced.
CREATE TABLE barrier_forgotten (
    one           BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    -- Of sagas older than this only those have rows that had an open one, or that are not deleted yet; all others are
    -- answered Expired. One row at most.
    before_ms     BIGINT NOT NULL,
    whole_from_ms BIGINT NOT NULL
);

INSERT INTO barrier_forgotten (one, before_ms, whole_from_ms) SELECT 1, before_ms, before_ms FROM barrier_purged;
DROP TABLE barrier_purged;
