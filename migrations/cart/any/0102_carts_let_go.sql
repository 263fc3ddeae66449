-- Checkouts that were made good, each with the cart that it let go of; append-only. A call of such a checkout that comes
-- late clears nothing: the row is the word that it bought nothing in the end.
CREATE TABLE carts_let_go (
    checkout_id TEXT   NOT NULL PRIMARY KEY,
    -- No foreign key: there may be no such cart any more.
    cart_id     TEXT   NOT NULL,
    at_ms       BIGINT NOT NULL
);
