//! Opening a store: the data directory for ourselves, the settings that durability rests on, the schema.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqlitePool,
    migrate::MigrateError,
    sqlite::{
        SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::StoreError;

/// The database within the data directory.
pub const DATABASE_FILE: &str = "orchestrator.db";
/// Held locked while a process has the store open.
const LOCK_FILE: &str = "orchestrator.lock";
/// Prepared statements that the writer keeps: about as many as there are batch shapes under a steady load.
const PREPARED: usize = 512;
/// Pages in the log before a commit moves them to the database file: with more, pages that are written again and
/// again (the end of an index, a saga's journal) are moved once instead of often.
const CHECKPOINT_PAGES: &str = "4000";

/// What the writer keeps of the file, in negative KiB: the ends of all tables and indexes, and the hot keys.
const WRITER_CACHE: &str = "-32768";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/orchestrator/sqlite");

/// How a [`SqliteStore`](crate::SqliteStore) is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// How many shards a new database gets; one that exists keeps its own.
    pub shards: u16,
    /// Connections for reading.
    pub readers: u32,
    /// The most pages (of 4 KiB) that the database file may grow to; beyond it the store is
    /// [`Full`](crate::StoreError::Full).
    pub max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { shards: 4, readers: 4, max_pages: None }
    }
}

/// A store that was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open. End that process, or choose another directory.
    #[error("the data directory {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A newer version of this program wrote it. Use that version, or another directory.
    #[error("{} was written by a newer version of this program (its migration {migration} is not known)", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The first migration that this program does not know.
        migration: i64,
    },
    /// A setting that durability rests on did not take effect.
    #[error("{}: {pragma} is {found}, not {wanted}; the store would not be durable", .path.display())]
    Unsafe {
        /// The database.
        path: PathBuf,
        /// The setting.
        pragma: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The directory or a file in it cannot be made, opened or locked.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be read or its schema cannot be made.
    #[error("{}: {why}", .path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What opening yields. The lock is released when the file is dropped.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) readers: SqlitePool,
    pub(super) lock: File,
}

pub(super) async fn open(directory: &Path, options: &SqliteOptions) -> Result<Opened, OpenError> {
    let lock = lock(directory)?;
    let path = directory.join(DATABASE_FILE);
    let database = |error: sqlx::Error| OpenError::Database { path: path.clone(), why: error.to_string() };
    let settings = settings(&path);

    let writing = settings
        .clone()
        .create_if_missing(true)
        .statement_cache_capacity(PREPARED)
        .pragma("cache_size", WRITER_CACHE)
        .pragma("temp_store", "MEMORY");
    let writing = match options.max_pages {
        Some(pages) => writing.pragma("max_page_count", pages.to_string()),
        None => writing,
    };
    let mut writer = SqliteConnection::connect_with(&writing).await.map_err(database)?;
    check(&mut writer, &path).await?;
    migrate(&mut writer, &path).await?;
    create_shards(&mut writer, options.shards).await.map_err(database)?;

    let checked = path.clone();
    let readers = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(options.readers.max(1))
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            let path = checked.clone();
            Box::pin(async move {
                check(conn, &path).await.map_err(|error| sqlx::Error::Configuration(error.into()))
            })
        })
        .connect_with(settings.pragma("query_only", "1"))
        .await
        .map_err(database)?;
    Ok(Opened { writer, readers, lock })
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(io(directory))?;
    let path = directory.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

fn settings(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(2))
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .disable_statement_logging()
}

/// Reads back what was set: SQLite ignores a setting that it cannot keep without a word.
async fn check(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    for (pragma, wanted) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        let text = match pragma {
            "journal_mode" => "SELECT lower(journal_mode) FROM pragma_journal_mode",
            "synchronous" => "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
            _ => "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        };
        let row = sqlx::query(text).fetch_one(&mut *conn).await;
        let found: String = row.and_then(|row| row.try_get(0)).map_err(|error| OpenError::Database {
            path: path.to_owned(),
            why: format!("{pragma} cannot be read: {error}"),
        })?;
        if found != wanted {
            return Err(OpenError::Unsafe { path: path.to_owned(), pragma, found, wanted });
        }
    }
    Ok(())
}

async fn migrate(writer: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    // Not `run`: its bound on the connection is "not general enough" for a future that must be Send.
    match MIGRATIONS.run_direct(None, writer, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(migration)) => {
            Err(OpenError::Newer { path: path.to_owned(), migration })
        }
        Err(error) => Err(OpenError::Database { path: path.to_owned(), why: error.to_string() }),
    }
}

/// A new database gets its shards, each with an epoch that nobody holds.
async fn create_shards(writer: &mut SqliteConnection, shards: u16) -> Result<(), sqlx::Error> {
    let count = i64::from(shards.max(1));
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *writer).await?;
    for text in [
        "INSERT INTO shards (id, owner, epoch) \
         WITH RECURSIVE n (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id + 1 < ?1) \
         SELECT id, '', id + 1 FROM n WHERE NOT EXISTS (SELECT 1 FROM shards)",
        "INSERT INTO lanes (shard, watermark) \
         SELECT id, 0 FROM shards WHERE NOT EXISTS (SELECT 1 FROM lanes)",
        "UPDATE counters SET value = (SELECT max(epoch) FROM shards) \
         WHERE name = 'epoch' AND value < (SELECT max(epoch) FROM shards)",
    ] {
        sqlx::query(text).bind(count).execute(&mut *writer).await?;
    }
    sqlx::raw_sql("COMMIT").execute(&mut *writer).await?;
    Ok(())
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        StoreError::Fatal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_setting_that_did_not_take_effect_is_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(DATABASE_FILE);
        let safe = settings(&path).create_if_missing(true);
        let mut conn = SqliteConnection::connect_with(&safe).await.unwrap();
        check(&mut conn, &path).await.unwrap();
        conn.close().await.unwrap();
        for (statement, setting, value) in [
            ("PRAGMA synchronous = NORMAL", "synchronous", "1"),
            ("PRAGMA synchronous = OFF", "synchronous", "0"),
            ("PRAGMA foreign_keys = OFF", "foreign_keys", "0"),
            ("PRAGMA journal_mode = DELETE", "journal_mode", "delete"),
        ] {
            let mut conn = SqliteConnection::connect_with(&safe).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
            match check(&mut conn, &path).await {
                Err(OpenError::Unsafe { pragma, found, .. }) => {
                    assert_eq!((pragma, found.as_str()), (setting, value))
                }
                other => panic!("{statement}: {other:?}"),
            }
            conn.close().await.unwrap();
        }
    }
}
