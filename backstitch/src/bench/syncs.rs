//! What the saga store makes the disk keep, counted from outside.
//!
//! SQLite in WAL mode with `synchronous=FULL` syncs the log once per commit; and, each time the log is full, the log and
//! the database when the log is copied over, and the head of the log when it begins anew. How often it began anew stands
//! in that head.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Syncs that every new beginning of the log stands for.
pub(crate) const PER_RESTART: f64 = 3.0;
/// The first bytes of a log; the last bit tells the byte order of its checksums.
const MAGIC: u32 = 0x377f_0682;

/// The write-ahead log of the saga store in this data directory.
pub(crate) fn log(data: &Path) -> PathBuf {
    data.join("orchestrator.db-wal")
}

/// How often this log has begun anew, counted from a number of its own.
pub(crate) fn restarts(log: &Path) -> anyhow::Result<u32> {
    let mut head = [0; 16];
    let read = File::open(log).and_then(|mut file| file.read_exact(&mut head));
    read.with_context(|| format!("reading the head of {}", log.display()))?;
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    anyhow::ensure!(word(0) & !1 == MAGIC, "{} is no write-ahead log", log.display());
    Ok(word(12))
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    use sqlx::{ConnectOptions as _, Connection as _};

    use super::*;

    #[tokio::test]
    async fn a_log_counts_its_new_beginnings() {
        let directory = tempfile::tempdir().unwrap();
        let mut database = SqliteConnectOptions::new()
            .filename(directory.path().join("orchestrator.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await
            .unwrap();
        let log = log(directory.path());
        sqlx::query("CREATE TABLE t (x)").execute(&mut database).await.unwrap();
        let first = restarts(&log).unwrap();
        for n in 1..=3 {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut database).await.unwrap();
            sqlx::query("INSERT INTO t VALUES (1)").execute(&mut database).await.unwrap();
            assert_eq!(restarts(&log).unwrap(), first + n);
        }
        database.close().await.unwrap();
        std::fs::write(&log, [0; 64]).unwrap();
        assert!(restarts(&log).unwrap_err().to_string().contains("no write-ahead log"));
    }
}
