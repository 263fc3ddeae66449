-- Rows that wait for a person, and rows behind them.
SELECT state, COUNT(*) AS rows FROM outbox WHERE state IN ('held', 'parked') GROUP BY state
