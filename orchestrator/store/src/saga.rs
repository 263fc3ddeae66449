//! A saga as the store sees it: one narrow row and its records.

use backstitch_core::Status;
use bytes::Bytes;
use uuid::Uuid;

/// A saga's row: what listing shows and recovery needs before it reads the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaRow {
    /// The saga.
    pub id: Uuid,
    /// Its root: itself, or the checkout of a return.
    pub root: Uuid,
    /// Where it lives.
    pub shard: u16,
    /// The definition's name.
    pub definition: String,
    /// The definition's version.
    pub version: u32,
    /// Where it stands.
    pub status: Status,
    /// When it was accepted, Unix milliseconds.
    pub started_at_ms: i64,
    /// When its status last changed, Unix milliseconds.
    pub updated_at_ms: i64,
}

/// A saga's durable facts: its row and all its records, as one commit left them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSaga {
    /// The row.
    pub row: SagaRow,
    /// The record with sequence number `n` is `records[n - 1]`: contiguous from 1, as they were appended.
    pub records: Vec<Bytes>,
    /// It was there when the store was marked as restored from a backup: what it did since that was made is not in its
    /// records.
    pub restored: bool,
}
