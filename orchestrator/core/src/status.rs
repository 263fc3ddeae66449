//! The word for where a saga stands.

use std::fmt;
use std::str::FromStr;

/// Where a saga stands, for APIs, for listing and for recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Going forward.
    Running,
    /// A participant waits for the customer.
    Waiting,
    /// Turned back and not done with it.
    Compensating,
    /// A person, or a participant that is away, has to come.
    Parked,
    /// Ended: everything was done.
    Completed,
    /// Ended: everything that was done is taken back.
    Compensated,
}

/// A status number or word that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no saga status `{0}`")]
pub struct UnknownStatus(pub String);

impl Status {
    /// Every status, in the order of [`Status::code`].
    pub const ALL: [Status; 6] =
        [Self::Running, Self::Waiting, Self::Compensating, Self::Parked, Self::Completed, Self::Compensated];

    /// No record follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }

    /// Recovery takes it up: neither final nor parked.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::Compensating)
    }

    /// The number in databases; never reused for another meaning.
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

    /// The word in APIs.
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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}
