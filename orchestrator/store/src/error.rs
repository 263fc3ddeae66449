//! What can go wrong in a store, by what its caller can do about it.

use uuid::Uuid;

/// A failed store operation. Each variant is one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written or read; the same call may succeed later.
    #[error("the store is unavailable, nothing was written: {0}")]
    Unavailable(String),
    /// The disk is full and nothing was written. Refuse new work, keep what is in memory, try the same call again.
    #[error("the store is full, nothing was written: {0}")]
    Full(String),
    /// The batch may be committed or not. Commit the same batch again: what is there already is recognised by
    /// its bytes and answered [`Verdict::Committed`](crate::Verdict::Committed).
    #[error("the batch may or may not be committed: {0}")]
    Unknown(String),
    /// The store can no longer tell what is durable (a failed fsync, a corrupt file). End the process; the
    /// journal is read again by the next one.
    #[error("the store cannot go on, end the process: {0}")]
    Fatal(String),
    /// What was asked can never be accepted (an empty key, control characters); asking again changes nothing.
    #[error("not acceptable: {0}")]
    Invalid(String),
    /// One saga's rows cannot be what this store wrote. It concerns that saga alone.
    #[error("saga {saga} is corrupt in the store: {why}")]
    Corrupt {
        /// The saga concerned.
        saga: Uuid,
        /// What does not fit.
        why: String,
    },
}
