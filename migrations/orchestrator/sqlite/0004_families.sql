-- What of a family has not ended: its returns, cases and repairs. A root is found by its own id, so that a checkout alone,
-- which is most of them, costs no entry.
CREATE INDEX sagas_of_family ON sagas (root, id) WHERE root <> id;
