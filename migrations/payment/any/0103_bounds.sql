-- What lists are searched by, so that none reads more than it shows.

-- Payments, oldest first: all of them, and those whose own end is open.
CREATE INDEX payments_by_time ON payments (created_at_ms, payment_id);
CREATE INDEX payments_open_by_time ON payments (created_at_ms, payment_id)
    WHERE status IN ('authorizing', 'waiting', 'authorized', 'capturing', 'voiding');

-- Cases, oldest first: all of them, those that wait for a person, those of a payment.
CREATE INDEX cases_by_time ON cases (opened_at_ms, case_id);
CREATE INDEX cases_open_by_time ON cases (opened_at_ms, case_id) WHERE resolved_at_ms = 0;
CREATE INDEX cases_by_payment ON cases (payment_id);
