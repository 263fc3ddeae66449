-- A shop in miniature, for the kit's own tests.
CREATE TABLE stock (
    sku       TEXT   NOT NULL PRIMARY KEY,
    left_over BIGINT NOT NULL CHECK (left_over >= 0)
);

-- One row per effect that was committed: a second one for the same saga and step is what the barrier prevents.
CREATE TABLE effects (
    saga_id TEXT   NOT NULL,
    step    TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    filler  TEXT   NOT NULL
);

-- For a commit that fails: the reference is looked at by COMMIT only.
CREATE TABLE orphans (
    sku TEXT NOT NULL REFERENCES stock (sku) DEFERRABLE INITIALLY DEFERRED
);
