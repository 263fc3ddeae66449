//! One transaction: BEGIN, a savepoint for each operation, COMMIT, and what to make of every way in which that can fail.
//!
//! SQLite drops the *whole* transaction on some errors (a full disk, an I/O error), and the next statement then commits
//! by itself. So nothing goes on before the operation's own savepoint was found to be still there: RELEASE and
//! ROLLBACK TO fail exactly when it is gone, and they come after every operation anyway.
//!
//! Postgres keeps a transaction whole: nothing of it can be committed before COMMIT was sent, whatever is lost. It
//! answers a COMMIT of a failed transaction with success and rolls it back; the RELEASE sent along before it fails then.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use sqlx::{AnyConnection, AssertSqlSafe};

use super::operation::Operation;
use crate::barrier::row::RowKey;
use crate::barrier::rows::Rows;
use crate::database::{Dialect, postgres};
use crate::lock::LockKey;
use crate::outcome::OpError;
use crate::tx::{Finished, Tx};

/// Why a transaction was not committed, or is not known to be.
#[derive(Debug)]
pub(super) enum Abandoned {
    /// There was no connection, or on Postgres the transaction did not get its locks: nothing was done.
    NotBegun {
        /// What the database said.
        why: String,
        /// The connection was gone, which shows only when it is used again.
        lost: bool,
    },
    /// BEGIN, SAVEPOINT, RELEASE or COMMIT failed: anything may be the case.
    Unknown(String),
    /// Rolled back because of the operation at `index`, or because of reading or writing barrier rows.
    /// [`OpError::Unknown`] if SQLite dropped the transaction under the operation: what *that* operation did after the
    /// failing statement may have committed by itself.
    RolledBack { index: Option<usize>, error: OpError },
}

pub(super) struct Batch<'c> {
    conn: &'c mut AnyConnection,
    dialect: Dialect,
    now_ms: i64,
    statements: u64,
    sound: bool,
    emitted: bool,
}

impl<'c> Batch<'c> {
    pub(super) fn new(conn: &'c mut AnyConnection, dialect: Dialect, now_ms: i64) -> Self {
        Self { conn, dialect, now_ms, statements: 0, sound: true, emitted: false }
    }

    /// Whether the connection is surely outside any transaction and may be used again.
    pub(super) fn is_sound(&self) -> bool {
        self.sound
    }

    /// Whether an operation that ended well published an event.
    pub(super) fn emitted(&self) -> bool {
        self.emitted
    }

    /// Round trips made.
    pub(super) fn statements(&self) -> u64 {
        self.statements
    }

    /// How each operation ended, in order, once all that ended well (and what remains of refusals) is committed.
    pub(super) async fn run(
        &mut self,
        operations: &mut [Box<dyn Operation>],
    ) -> Result<Vec<Result<(), OpError>>, Abandoned> {
        let mut ends = Vec::with_capacity(operations.len());
        // On SQLite the one writer is the lock.
        let locks = if self.dialect == Dialect::Postgres { lock_numbers(operations) } else { Vec::new() };
        self.begin(locks).await?;
        let keys: Vec<RowKey> = operations.iter().filter_map(|operation| operation.row().cloned()).collect();
        let mut rows = match Rows::load(self.conn, keys.into_iter(), &mut self.statements).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.abandon(None, error).await),
        };
        for (index, operation) in operations.iter_mut().enumerate() {
            if index > 0 {
                self.control("RELEASE operation; SAVEPOINT operation").await?;
            }
            ends.push(self.one(index, operation.as_mut(), &mut rows).await?);
        }
        if rows.changed() {
            // The last operation's savepoint is looked for first: in a dropped transaction these rows would commit by
            // themselves, and without their effects.
            self.control("RELEASE operation; SAVEPOINT operation").await?;
            if let Err(error) = rows.flush(self.conn, self.now_ms, &mut self.statements).await {
                return Err(self.abandon(None, error).await);
            }
        }
        self.control("RELEASE operation; COMMIT").await?;
        Ok(ends)
    }

    /// Opens the transaction, takes every lock, and sets the first savepoint.
    async fn begin(&mut self, locks: Vec<i64>) -> Result<(), Abandoned> {
        match self.dialect {
            // IMMEDIATE takes the one writer's lock: no statement later on can find the file busy.
            Dialect::Sqlite => self.control("BEGIN IMMEDIATE; SAVEPOINT operation").await,
            Dialect::Postgres => {
                let begun = self.send(&begin_with(&locks)).await;
                begun.map_err(|error| {
                    // Still open, and failed: closing the connection ends it.
                    self.sound = false;
                    Abandoned::NotBegun { why: error.to_string(), lost: postgres::is_lost(&error) }
                })
            }
        }
    }

    /// One operation, inside its savepoint. `Ok` is how it ended, with the transaction still open.
    async fn one(
        &mut self,
        index: usize,
        operation: &mut dyn Operation,
        rows: &mut Rows,
    ) -> Result<Result<(), OpError>, Abandoned> {
        let key = operation.row().cloned();
        let row = key.as_ref().map(|key| rows.get(key));
        // On SQLite whoever has the writer has every lock.
        let held = (self.dialect == Dialect::Postgres).then(|| operation.locks().to_vec());
        let mut tx = Tx::new(self.conn, self.now_ms, held.as_deref(), row);
        let ended = AssertUnwindSafe(operation.run(&mut tx)).catch_unwind().await;
        let Finished { statements, mut left, emitted } = tx.finish();
        self.statements += statements;
        let end = match ended {
            Err(panic) => return Err(self.abandon_after_panic(index, said(&*panic))),
            Ok(Err(error @ (OpError::Database(_) | OpError::Unknown(_)))) => {
                return Err(self.abandon(Some(index), error).await);
            }
            Ok(Err(error)) => {
                // An answer, not an accident: only this operation's writes go.
                self.control("ROLLBACK TO operation").await?;
                left = match &error {
                    OpError::Refused(refusal) => operation.remains(refusal),
                    _ => None,
                };
                Err(error)
            }
            Ok(Ok(())) => {
                self.emitted |= emitted;
                Ok(())
            }
        };
        if let (Some(key), Some(left)) = (key, left) {
            rows.set(&key, left);
        }
        Ok(end)
    }

    /// Rolls everything back after an accident of the operation at `index`.
    async fn abandon(&mut self, index: Option<usize>, error: OpError) -> Abandoned {
        // ROLLBACK TO first: it fails if the transaction is gone, and a plain ROLLBACK would not tell when.
        match self.control("ROLLBACK TO operation; ROLLBACK").await {
            Ok(()) => {
                self.sound = true;
                Abandoned::RolledBack { index, error }
            }
            // Nobody went on after the barrier's own statement, so nothing can have committed by itself; on Postgres
            // nothing ever does.
            Err(_) if index.is_none() || self.dialect == Dialect::Postgres => {
                Abandoned::RolledBack { index, error }
            }
            Err(_) => {
                let why = format!("the database dropped the transaction: {error}");
                Abandoned::RolledBack { index, error: OpError::Unknown(why) }
            }
        }
    }

    /// A panic may have left a statement half read: the connection is not used again, and closing it rolls back.
    fn abandon_after_panic(&mut self, index: usize, why: String) -> Abandoned {
        self.sound = false;
        tracing::error!(why, "an operation panicked");
        Abandoned::RolledBack {
            index: Some(index),
            error: OpError::Broken(format!("the operation panicked: {why}")),
        }
    }

    /// Sends statements that frame operations. Failing, they leave the connection unsound.
    async fn control(&mut self, sql: &'static str) -> Result<(), Abandoned> {
        self.send(sql).await.map_err(|error| {
            self.sound = false;
            Abandoned::Unknown(format!("{sql}: {error}"))
        })
    }

    async fn send(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.statements += 1;
        // Built from literals and numbers only.
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.conn).await.map(drop)
    }
}

/// BEGIN, every lock and the first savepoint in one round trip. A statement sees what was committed when it began, so
/// whatever comes after the locks sees all that was done under them before.
fn begin_with(locks: &[i64]) -> String {
    let mut sql = String::from("BEGIN; ");
    // A target list is evaluated from left to right, and has at most 1664 entries.
    for locks in locks.chunks(1000) {
        let locks: Vec<String> = locks.iter().map(|n| format!("pg_advisory_xact_lock({n})")).collect();
        sql.push_str(&format!("SELECT {}; ", locks.join(", ")));
    }
    sql.push_str("SAVEPOINT operation");
    sql
}

/// What the operations lock between them, each once and in the order in which everybody locks.
fn lock_numbers(operations: &[Box<dyn Operation>]) -> Vec<i64> {
    let mut numbers: Vec<i64> = operations.iter().flat_map(|op| op.locks()).map(LockKey::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
