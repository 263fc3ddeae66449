-- Who publishes from this database: one row per lane, taken and renewed by the relay that has it. A relay is no node, and
-- publishing needs no epoch of a shard: lanes are numbered by who commits, and may be read by anybody. As in the
-- participants' databases.
CREATE TABLE relay_leases (
    lane text COLLATE "C" NOT NULL PRIMARY KEY,
    -- Drawn anew by every run of a relay.
    owner text COLLATE "C" NOT NULL,
    -- Grows with every change of owner.
    epoch bigint NOT NULL CHECK (epoch > 0),
    -- Nobody else takes the lane before this moment, by this database's clock in Unix milliseconds: the owner's term, and
    -- after it the longest time that a message which the owner has handed to its producer may still be on its way.
    until_ms bigint NOT NULL
) WITH (fillfactor = 50);
