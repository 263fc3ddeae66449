//! What goes into a commit and what comes back.

use bytes::Bytes;
use uuid::Uuid;

use crate::Status;

/// One saga's contiguous records with what belongs to them: all of it in one commit, or none of it.
///
/// It is either wholly new (`first_seq` follows the last record that is there) or wholly there already (a
/// re-append after [`StoreError::Unknown`](crate::StoreError::Unknown)); anything between is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The saga.
    pub saga: Uuid,
    /// The saga that it belongs to from the outside's view: itself, or the checkout of a return. Key of its events.
    pub root: Uuid,
    /// The shard that the saga lives in, for ever.
    pub shard: u16,
    /// The epoch of the lease under which the records were decided.
    pub epoch: i64,
    /// Present exactly when `first_seq` is 1.
    pub start: Option<NewSaga>,
    /// The sequence number of `records[0]`; a journal begins with 1.
    pub first_seq: u32,
    /// Encoded journal records, at least one.
    pub records: Vec<Bytes>,
    /// The new status for the saga's row, where it changes. A new saga without one is running.
    pub summary: Option<Summary>,
    /// Events that these records publish.
    pub events: Vec<NewEvent>,
}

/// A saga's row, written once with its first record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSaga {
    /// Whose idempotency key it is; keys of different scopes never meet. At most 255 characters, none a control.
    pub scope: String,
    /// The idempotency key, where the saga has one: 1 to 255 characters, none a control character.
    pub key: Option<String>,
    /// The hash of the parsed request with defaults filled in, to tell a retry from another request.
    pub request_hash: [u8; 32],
    /// The definition's name.
    pub definition: String,
    /// The definition's version.
    pub version: u32,
    /// When the saga was accepted, Unix milliseconds.
    pub started_at_ms: i64,
}

/// What the listing shows of a saga after these records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Where the saga stands.
    pub status: Status,
    /// When it changed, Unix milliseconds. The row keeps the latest time it was told.
    pub updated_at_ms: i64,
}

/// An event to publish. Its number (per shard, in commit order), its sequence (per saga, from 1) and its id
/// are the store's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened, e.g. `com.backstitch.checkout.completed.v1`.
    pub kind: String,
    /// Where it is published, e.g. `checkout.events`.
    pub topic: String,
    /// JSON.
    pub payload: Bytes,
    /// The W3C trace context, or empty.
    pub traceparent: String,
    /// When it happened, Unix milliseconds.
    pub at_ms: i64,
}

/// What became of one append of a batch that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is durable, by this commit or by an earlier one.
    Committed,
    /// Another saga has the idempotency key, or the key is blocked; nothing of this append was written.
    KeyTaken(KeyRow),
    /// The shard has another epoch by now; nothing of this append was written. Forget the saga.
    Fenced,
    /// It can never be committed (a hole, other bytes under the same number, a broken constraint); nothing of it
    /// was written, the rest of the batch was. The text names the saga and the reason.
    Refused(String),
}

/// Who has an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRow {
    /// The saga that was started with it; none if the key was blocked unused.
    pub saga: Option<Uuid>,
    /// The hash of the request that came with it; zeroes for a blocked key.
    pub request_hash: [u8; 32],
    /// When it was taken, Unix milliseconds.
    pub created_at_ms: i64,
}
