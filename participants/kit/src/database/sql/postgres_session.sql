-- What every Postgres session of a participant has. $SERVICE is replaced by its name.
--
-- A commit is on the disk before it is answered; remote_apply, which is more, stays.
SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false);
-- Each statement sees what was committed before it: also what was committed while its transaction waited for locks.
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
-- Nothing waits for ever. A process that froze in the middle of a transaction loses it, and with it its locks, before
-- others have stopped waiting many times.
SET statement_timeout = '10s';
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '10s';
SET tcp_user_timeout = '10s';
SET application_name = 'backstitch $SERVICE';
