//! A saga as the store sees it: one narrow row and its records.

use bytes::Bytes;
use uuid::Uuid;

/// Where a saga stands, for listing and for recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Going forward.
    Running,
    /// Waiting for the customer.
    Waiting,
    /// Turned back and not done with it.
    Compensating,
    /// Waiting for a person or for a participant that is away.
    Parked,
    /// Ended: everything was done.
    Completed,
    /// Ended: everything that was done is taken back.
    Compensated,
}

/// A status number or name that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no saga status `{0}`")]
pub struct UnknownStatus(pub String);

impl Status {
    /// Every status, in the order of [`Status::code`].
    pub const ALL: [Status; 6] =
        [Self::Running, Self::Waiting, Self::Compensating, Self::Parked, Self::Completed, Self::Compensated];

    /// Nothing is appended to the saga any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }

    /// Recovery takes it up: neither final nor parked.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::Compensating)
    }

    /// The number in the database; never reused for another meaning.
    pub fn code(self) -> i64 {
        match self {
            Self::Running => 0,
            Self::Waiting => 1,
            Self::Compensating => 2,
            Self::Parked => 3,
            Self::Completed => 4,
            Self::Compensated => 5,
        }
    }

    /// The status with this number.
    ///
    /// # Errors
    /// A number that no status has.
    pub fn from_code(code: i64) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.code() == code)
            .ok_or_else(|| UnknownStatus(code.to_string()))
    }

    /// The word that people and APIs see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Compensating => "compensating",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

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
}
