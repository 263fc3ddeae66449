-- Returns: what comes back of an order, and what is given back for it.
--
-- The laws of these tables, at any commit:
--   order_items.returned = the sum of its lines in returns that are not cancelled, and never more than was bought
--   orders.returned_minor = the sum of the refunds of returns that are not cancelled, and never more than the total
-- Both are claimed in the transaction that writes the return, so that however many are asked for at once, all that are
-- accepted can be kept.

ALTER TABLE order_items ADD COLUMN returned BIGINT NOT NULL DEFAULT 0
    CHECK (returned >= 0 AND returned <= quantity);

ALTER TABLE orders ADD COLUMN returned_minor BIGINT NOT NULL DEFAULT 0
    CHECK (returned_minor >= 0 AND returned_minor <= total_minor);

-- One row: the number that the last credit note got; see order_counter. Only a completed return takes one, so there
-- are no gaps.
CREATE TABLE credit_note_counter (
    name TEXT NOT NULL PRIMARY KEY CHECK (name = 'credit note'),
    last BIGINT NOT NULL CHECK (last >= 0)
);

INSERT INTO credit_note_counter (name, last) VALUES ('credit note', 0);

CREATE TABLE order_returns (
    return_id TEXT NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    -- From 1 per order.
    seq BIGINT NOT NULL CHECK (seq > 0),
    -- The return's saga; no other may cancel or complete it.
    saga_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('claimed', 'completed', 'cancelled')),
    -- Of what was never delivered: the exit of a checkout that parked after its capture.
    make_good BIGINT NOT NULL CHECK (make_good IN (0, 1)),
    reason TEXT NOT NULL,
    -- What is given back, in the order's currency: the prices that were paid, and whatever else is left of the total
    -- once nothing is left of the order.
    refund_minor BIGINT NOT NULL CHECK (refund_minor >= 0),
    -- People see it as CN-000001.
    credit_note_number BIGINT UNIQUE CHECK (credit_note_number > 0),
    created_at_ms BIGINT NOT NULL,
    -- When it was completed or cancelled.
    settled_at_ms BIGINT,
    UNIQUE (order_id, seq),
    CHECK ((status = 'completed') = (credit_note_number IS NOT NULL)),
    CHECK ((status = 'claimed') = (settled_at_ms IS NULL))
);

-- Which units: a line of the order each, because the same product may have been bought at several prices.
CREATE TABLE order_return_lines (
    return_id TEXT NOT NULL REFERENCES order_returns (return_id),
    line BIGINT NOT NULL CHECK (line >= 0),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (return_id, line)
);
