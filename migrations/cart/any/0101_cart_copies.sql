-- Copies of carts may be kept in Redis. Which of them may be believed is said here and nowhere else: those of one
-- keyspace on one server.

-- One row. Whoever changes a cart without being able to tell the copies empties `keyspace` in the transaction of the
-- change, and with it every copy that there is; whoever reaches Redis then draws a new one.
CREATE TABLE cart_copies (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    -- A name that was never used before; empty while no copy may be believed.
    keyspace TEXT   NOT NULL,
    -- The server's own name of its run: one that was started again may remember what was true before.
    server   TEXT   NOT NULL
);

INSERT INTO cart_copies (only_row, keyspace, server) VALUES (1, '', '');
