//! What an operation gets, and nothing else.

use outbox_relay::Event;
use sqlx::AnyConnection;
use uuid::Uuid;

use crate::barrier::row::Row;
use crate::lock::LockKey;
use crate::outcome::OpError;

const HURRY: &str = include_str!("barrier/sql/hurry.sql");

/// A handle on the transaction that the operation runs in. Does not commit, does not roll back: the transactor does.
#[derive(Debug)]
pub struct Tx<'t> {
    conn: &'t mut AnyConnection,
    now_ms: i64,
    /// The keys this operation holds, sorted; `None` where holding the writer is holding everything.
    held: Option<&'t [LockKey]>,
    /// The operation's barrier row, if it has one, and how the operation leaves it.
    row: Option<Row>,
    left: Option<Row>,
    statements: u64,
    emitted: bool,
}

/// What an operation leaves behind in its batch.
pub(crate) struct Finished {
    /// The round trips it made.
    pub(crate) statements: u64,
    /// How it leaves its barrier row.
    pub(crate) left: Option<Row>,
    /// Whether it published an event.
    pub(crate) emitted: bool,
}

impl<'t> Tx<'t> {
    pub(crate) fn new(
        conn: &'t mut AnyConnection,
        now_ms: i64,
        held: Option<&'t [LockKey]>,
        row: Option<Row>,
    ) -> Self {
        Self { conn, now_ms, held, row, left: None, statements: 0, emitted: false }
    }

    /// The connection, for one statement: each call counts as one. Return its error at once.
    pub fn conn(&mut self) -> &mut AnyConnection {
        self.statements += 1;
        self.conn
    }

    /// The time of the batch, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Publishes an event with the effect: it appears if and only if the transaction commits. Takes the event key's
    /// lock ([`LockKey::events`]) if the operation does not hold it; a saga's call holds that of its root.
    ///
    /// # Errors
    /// A database error or a lock that is needed first, to be returned at once.
    pub async fn emit(&mut self, event: Event) -> Result<(), OpError> {
        self.lock([LockKey::events(&event.key)])?;
        // The per-key counter and the row.
        self.statements += 2;
        self.emitted = true;
        Ok(outbox_relay::append(self.conn, &event).await?)
    }

    /// Makes the open rows of a saga due at once: something that they may wait for has happened.
    ///
    /// # Errors
    /// A database error, to be returned at once.
    pub async fn hurry(&mut self, saga: Uuid) -> Result<(), OpError> {
        let now_ms = self.now_ms;
        sqlx::query(HURRY).bind(saga.to_string()).bind(now_ms).execute(self.conn()).await?;
        Ok(())
    }

    /// Makes sure that the operation holds `keys`, which it could not name before it ran.
    ///
    /// # Errors
    /// [`OpError::Lock`] if it does not: return it, and the operation is rolled back and run again holding them.
    pub fn lock(&self, keys: impl IntoIterator<Item = LockKey>) -> Result<(), OpError> {
        let Some(held) = self.held else { return Ok(()) };
        let missing: Vec<_> = keys.into_iter().filter(|key| held.binary_search(key).is_err()).collect();
        if missing.is_empty() { Ok(()) } else { Err(OpError::Lock(missing)) }
    }

    /// The operation's barrier row as it found it.
    pub(crate) fn row(&self) -> Result<Row, OpError> {
        self.row.clone().ok_or_else(|| OpError::broken("the operation named no barrier row"))
    }

    /// Leaves the barrier row so, if the operation ends well.
    pub(crate) fn leave(&mut self, row: Row) {
        self.left = Some(row);
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Finished {
        Finished { statements: self.statements, left: self.left, emitted: self.emitted }
    }
}
