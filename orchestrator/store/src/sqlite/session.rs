//! The writing connection: transactions that are whole or not at all, and what their failure means.

use sqlx::{
    Connection as _, SqlSafeStr as _, SqlStr,
    sqlite::{SqliteConnection, SqliteRow},
};

use super::{fault::Fault, rows::Binds};
use crate::StoreError;

/// The connection that writes.
pub(super) struct Session {
    pub(super) conn: SqliteConnection,
    /// A transaction may be open: true from before its first statement until its end is known. It stays true
    /// when a caller drops its future half-way.
    open: bool,
    /// Why nothing can be written any more.
    dead: Option<String>,
}

/// A transaction that did not happen.
#[derive(Debug)]
pub(super) enum Failed {
    /// A row was refused; the transaction is rolled back.
    Refused(String),
    Store(StoreError),
}

impl Failed {
    /// For what is no batch: a refused row is then a bug of this store.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Failed::Store(error) => error,
            Failed::Refused(why) => StoreError::Fatal(why),
        }
    }
}

impl Session {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self { conn, open: false, dead: None }
    }

    /// Closes the connection; SQLite checkpoints when the last one goes.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.conn.close().await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Before anything else: refuses on a dead store, and rolls back what a dropped caller left behind. True if
    /// there was something: what is remembered of the database may then be wrong.
    pub(super) async fn settle(&mut self) -> Result<bool, StoreError> {
        if let Some(why) = &self.dead {
            return Err(StoreError::Fatal(why.clone()));
        }
        let left = self.open;
        if left {
            self.roll_back().await?;
        }
        Ok(left)
    }

    /// Runs a whole transaction (BEGIN to COMMIT in one text), in one trip to the connection's thread. After an
    /// error it is rolled back.
    pub(super) async fn transact(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, Failed> {
        self.open = true;
        let rows = self.step(text, binds).await?;
        self.open = false;
        Ok(rows)
    }

    /// The first piece of a transaction in several.
    pub(super) async fn begin(&mut self, text: SqlStr, binds: Binds) -> Result<(), Failed> {
        self.open = true;
        self.step(text, binds).await.map(drop)
    }

    /// A piece of a transaction; if it fails, the transaction is rolled back.
    pub(super) async fn step(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, Failed> {
        match self.execute(text, binds).await {
            Ok(rows) => Ok(rows),
            Err(fault) => Err(self.give_up(fault).await),
        }
    }

    /// The last piece of a transaction in several.
    pub(super) async fn end(&mut self, text: SqlStr) -> Result<(), Failed> {
        self.step(text, Binds::default()).await?;
        self.open = false;
        Ok(())
    }

    /// Ends a transaction that failed: nothing of it was written, or the store is dead.
    pub(super) async fn give_up(&mut self, fault: Fault) -> Failed {
        if let Fault::Broken(why) = fault {
            return Failed::Store(self.die(why));
        }
        if let Err(error) = self.roll_back().await {
            return Failed::Store(error);
        }
        match fault {
            Fault::Refused(why) => Failed::Refused(why),
            Fault::Full(why) => Failed::Store(StoreError::Full(why)),
            Fault::Busy(why) | Fault::Broken(why) => Failed::Store(StoreError::Unavailable(why)),
        }
    }

    /// SQLite has rolled back by itself after some errors and not after others, so that both answers are right.
    pub(super) async fn roll_back(&mut self) -> Result<(), StoreError> {
        match self.execute("ROLLBACK".into_sql_str(), Binds::default()).await {
            Ok(_) => {}
            Err(Fault::Broken(why)) if why.contains("no transaction is active") => {}
            Err(Fault::Refused(why) | Fault::Full(why) | Fault::Busy(why) | Fault::Broken(why)) => {
                return Err(self.die(why));
            }
        }
        self.open = false;
        Ok(())
    }

    /// Runs statements and decides nothing about their failure.
    pub(super) async fn execute(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, Fault> {
        let arguments = binds.finish().map_err(Fault::Refused)?;
        sqlx::query_with(text, arguments).fetch_all(&mut self.conn).await.map_err(|error| Fault::of(&error))
    }

    /// From now on every write is refused: it is not known what is durable.
    pub(super) fn die(&mut self, why: String) -> StoreError {
        tracing::error!(%why, "the store cannot go on");
        self.dead = Some(why.clone());
        StoreError::Fatal(why)
    }
}
