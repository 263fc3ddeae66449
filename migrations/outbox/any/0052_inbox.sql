-- Which events a consumer has acted on, written in the transaction of what it did. Kafka delivers at least once; this
-- row makes it once. Kept for longer than a topic keeps its messages.
CREATE TABLE inbox (
    consumer TEXT   NOT NULL,
    -- ce_id
    event_id TEXT   NOT NULL,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX inbox_by_time ON inbox (at_ms);
