//! Where rows wait: the trait, told as guarantees.
//!
//! Two kinds of source implement it: a table of unmarked rows ([`TableSource`](crate::TableSource)) and a
//! lane that keeps one watermark plus a short list of parked keys. The words below fit both, and the relay
//! relies on nothing else.

use async_trait::async_trait;

use crate::{Row, RowId};

/// Rows that wait to be published, and the memory of which ones were.
///
/// A relay is the only caller that publishes from a source; a second one by accident costs duplicates, never
/// order.
#[async_trait]
pub trait Source: Send + Sync {
    /// A short stable name for logs and metric labels, e.g. `order` or `lane-7`.
    fn name(&self) -> &str;

    /// At most `limit` committed rows that are neither published nor parked nor behind a parked row of their
    /// key, in ascending number. Rows of one key come in `ce_sequence` order, and none is left out before one
    /// that is returned. May return rows again whose mark was lost.
    async fn pending(&self, limit: usize) -> Result<Vec<Row>, SourceError>;

    /// Durably marks rows as published. `rows` is ascending and a subset of what [`pending`](Self::pending)
    /// returned last; rows of *other* keys in between may be missing (they failed), so a source with a
    /// watermark moves it only to the first missing one and may remember the rest in memory. Idempotent.
    async fn published(&self, rows: &[RowId], now_ms: i64) -> Result<(), SourceError>;

    /// Durably sets a row aside that can never be published as it is, with the reason, for a person to see.
    /// From then on `pending` holds back the later rows of its key, and of its key only.
    async fn park(&self, row: &Row, why: &str, now_ms: i64) -> Result<(), SourceError>;

    /// Deletes at most `limit` rows whose publication was recorded before `published_before_ms`, oldest first;
    /// answers how many. Waiting, held and parked rows are never deleted.
    async fn purge(&self, published_before_ms: i64, limit: usize) -> Result<u64, SourceError>;

    /// At most `limit` kept rows whose publication was recorded at or after `since_ms`, numbered above `after`,
    /// in ascending number. With it the embedded broker's window is published again.
    async fn published_since(
        &self,
        since_ms: i64,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, SourceError>;

    /// How far behind publishing is.
    async fn lag(&self, now_ms: i64) -> Result<Lag, SourceError>;
}

/// How far behind publishing is, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Rows that could be published now.
    pub waiting: u64,
    /// Rows held back behind a parked row of their key.
    pub held: u64,
    /// Rows that were set aside and wait for a person.
    pub parked: u64,
    /// Age of the oldest waiting row in milliseconds; 0 when none waits.
    pub oldest_ms: i64,
}

/// A source that could not answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing is known to be written; the same call may be repeated later.
    #[error("the outbox cannot be reached: {0}")]
    Unavailable(String),
    /// The source is not what this program expects (schema, data); repeating will not help, a person must look.
    #[error("the outbox is not readable: {0}")]
    Broken(String),
}
