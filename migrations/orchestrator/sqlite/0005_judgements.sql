-- What people have judged of findings of the reconciler, in order; the last word about a finding counts.
CREATE TABLE judgements (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    -- The finding's id, which is derived from all that it says.
    finding BLOB NOT NULL CHECK (length(finding) = 16),
    -- It is as it should be; 0: that was taken back.
    is_acknowledged INTEGER NOT NULL CHECK (is_acknowledged IN (0, 1)),
    -- What the finding said.
    what TEXT NOT NULL CHECK (what <> ''),
    who TEXT NOT NULL CHECK (who <> ''),
    why TEXT NOT NULL CHECK (why <> ''),
    at_ms INTEGER NOT NULL CHECK (at_ms >= 0)
) STRICT;

CREATE INDEX judgements_by_finding ON judgements (finding, number);

CREATE TRIGGER judgements_are_append_only BEFORE UPDATE ON judgements
BEGIN SELECT RAISE (ABORT, 'a judgement is never rewritten'); END;
