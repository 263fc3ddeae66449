-- As with order numbers: one at a time.
UPDATE credit_note_counter SET last = last + 1 WHERE name = 'credit note' RETURNING last
