-- When this database was put in the place of a later state of itself: what the sagas that were there by then did after the
-- backup is not in their journals. One row for each time, Unix milliseconds.
CREATE TABLE restores (
    at_ms bigint NOT NULL PRIMARY KEY CHECK (at_ms >= 0)
);
