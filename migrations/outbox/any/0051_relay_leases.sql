-- Who publishes from this database: one row per lane, taken and renewed by the relay that has it. Times are the
-- database's own clock, so that relays need not agree on one.
CREATE TABLE relay_leases (
    lane     TEXT   NOT NULL PRIMARY KEY,
    -- Drawn anew by every run of a relay.
    owner    TEXT   NOT NULL,
    -- Grows with every change of owner.
    epoch    BIGINT NOT NULL CHECK (epoch > 0),
    -- Nobody else takes the lane before this moment: the owner's term, and after it the longest time that a message
    -- which the owner has handed to its producer may still be on its way.
    until_ms BIGINT NOT NULL
);
