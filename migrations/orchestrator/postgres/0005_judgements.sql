-- What people have judged of findings of the reconciler, in order; the last word about a finding counts.
CREATE TABLE judgements (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The finding's id, which is derived from all that it says.
    finding uuid NOT NULL,
    -- It is as it should be; false: that was taken back.
    is_acknowledged boolean NOT NULL,
    -- What the finding said.
    what text NOT NULL CHECK (what <> ''),
    who text NOT NULL CHECK (who <> ''),
    why text NOT NULL CHECK (why <> ''),
    at_ms bigint NOT NULL CHECK (at_ms >= 0)
);

CREATE INDEX judgements_by_finding ON judgements (finding, number);

CREATE TRIGGER judgements_are_append_only BEFORE UPDATE ON judgements
FOR EACH ROW EXECUTE FUNCTION refuse_change('a judgement is never rewritten');
