-- Judgements have one order, among all nodes. Readers do not wait.
LOCK TABLE judgements IN SHARE ROW EXCLUSIVE MODE
