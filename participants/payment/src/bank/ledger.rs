//! The bank's ledger file and its one writer: calls are executed in the order of their coming, many to a commit, and
//! answered after it. What a call does to money is not decided here.
//!
//! Whatever fails before the commit had no effect for any call of the batch; a commit that fails is Unknown for all of
//! them. Either way the connection is thrown away: what an error leaves behind on it is not to be guessed.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use participant_kit::{Clock, OpenError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::books::{Books, BooksError};
use super::call::{Answer, BankError, Call};
use super::ruling::Delivery;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/sandbox/any");

const SERVICE: &str = "sandbox";

/// The most calls that share a commit.
const BATCH: usize = 128;

/// The most calls that wait for the writer; more wait outside.
const QUEUE: usize = 1024;

type Answered = Result<(Answer, Delivery), BankError>;

struct Job {
    /// None for a call that is not replayed.
    key: Option<String>,
    call: Call,
    reply: oneshot::Sender<Answered>,
}

/// The bank's counter: a handle on the writer, which ends when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    queue: mpsc::Sender<Job>,
}

impl Bank {
    /// Opens or creates the file and migrates it.
    pub(crate) async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let config = |why: String| OpenError::Config {
            option: "sandbox_ledger_url",
            why: format!("`{url}` is not a URL such as sqlite:/path/sandbox.db: {why}"),
        };
        if !url.starts_with("sqlite:") {
            return Err(config("the sandbox keeps its ledger in a SQLite file".into()));
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|e| config(e.to_string()))?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let mut conn =
            options.connect().await.map_err(|source| OpenError::Unreachable { service: SERVICE, source })?;
        check(&mut conn).await?;
        migrate(&mut conn).await?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(Writer { options, conn: Some(conn), clock }.run(jobs));
        Ok(Self { queue })
    }

    /// Executes a call, or replays what its key was answered. Committed when this returns.
    pub(crate) async fn call(&self, key: Option<&str>, call: Call) -> Answered {
        let (reply, answer) = oneshot::channel();
        let job = Job { key: key.map(str::to_owned), call, reply };
        if self.queue.send(job).await.is_err() {
            return Err(BankError::Away("it has stopped".into()));
        }
        // Taken by the writer but never answered: it may have been committed.
        answer.await.unwrap_or_else(|_| Err(BankError::Silent("it stopped".into())))
    }
}

/// Refuses a file that does not keep what is committed.
async fn check(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    let unreachable = |source| OpenError::Unreachable { service: SERVICE, source };
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *conn).await.map_err(unreachable)?;
    if mode != "wal" {
        return Err(OpenError::Unsafe {
            service: SERVICE,
            setting: "journal_mode",
            found: mode,
            wanted: "wal",
        });
    }
    let wanted = [("synchronous", "PRAGMA synchronous", "2"), ("foreign_keys", "PRAGMA foreign_keys", "1")];
    for (pragma, sql, wanted) in wanted {
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.map_err(unreachable)?;
        let found = found.to_string();
        if found != wanted {
            return Err(OpenError::Unsafe { service: SERVICE, setting: pragma, found, wanted });
        }
    }
    Ok(())
}

async fn migrate(conn: &mut SqliteConnection) -> Result<(), OpenError> {
    use sqlx::migrate::MigrateError;
    MIGRATIONS.run(conn).await.map_err(|source| match source {
        MigrateError::VersionMissing(version) => OpenError::Newer { service: SERVICE, version },
        source => OpenError::Migration { service: SERVICE, source },
    })
}

struct Writer {
    options: SqliteConnectOptions,
    /// None after an error, until the next batch.
    conn: Option<SqliteConnection>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.recv_many(&mut batch, BATCH).await > 0 {
            let outcome = self.commit(&batch).await;
            if let Err(error) = &outcome {
                tracing::warn!(%error, calls = batch.len(), "the sandbox bank's ledger did not commit");
                self.conn = None;
            }
            let answers = outcome.unwrap_or_else(|error| vec![Err(error); batch.len()]);
            for (job, answer) in batch.drain(..).zip(answers) {
                // A caller that has gone away reads its account later.
                let _ = job.reply.send(answer);
            }
        }
    }

    /// Executes a batch in one transaction. An error is everybody's answer.
    async fn commit(&mut self, batch: &[Job]) -> Result<Vec<Answered>, BankError> {
        let now_ms = self.clock.now_ms();
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => none.insert(self.options.connect().await.map_err(nothing_happened)?),
        };
        // The write lock at once: an account is read before it is written.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(nothing_happened)?;
        let mut answers = Vec::with_capacity(batch.len());
        for job in batch {
            let mut books = Books { conn: &mut *conn, now_ms };
            answers.push(match books.execute(job.key.as_deref(), &job.call).await {
                Ok(answer) => Ok(answer),
                Err(BooksError::Said(error)) => Err(error),
                Err(BooksError::Database(error)) => return Err(nothing_happened(error)),
            });
        }
        match sqlx::query("COMMIT").execute(&mut *conn).await {
            Ok(_) => Ok(answers),
            Err(error) => Err(BankError::Silent(format!("the commit failed: {error}"))),
        }
    }
}

fn nothing_happened(error: sqlx::Error) -> BankError {
    BankError::Away(format!("the ledger: {error}"))
}
