-- Announcements and switchings have one order, among all nodes. Readers do not wait.
LOCK TABLE definitions IN SHARE ROW EXCLUSIVE MODE
