//! SQLite's result codes, by what the store does about them.

use crate::StoreError;

/// A failed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A row that can never be written: a constraint, or a value over SQLite's limits.
    Refused(String),
    /// No room on the disk.
    Full(String),
    /// Somebody else has the file, or memory is short: the same statement may succeed later.
    Busy(String),
    /// Anything else: an I/O error, a failed fsync, a damaged file, a connection that is gone.
    Broken(String),
}

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const FULL: i32 = 13;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
/// Its low byte is the primary code of an extended one.
const PRIMARY: i32 = 0xff;

impl Fault {
    pub(super) fn of(error: &sqlx::Error) -> Self {
        let why = error.to_string();
        let code = error.as_database_error().and_then(|error| error.code());
        match code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & PRIMARY) {
            Some(CONSTRAINT | TOOBIG) => Self::Refused(why),
            Some(FULL) => Self::Full(why),
            Some(BUSY | LOCKED | NOMEM) => Self::Busy(why),
            _ => Self::Broken(why),
        }
    }

    /// What it means to somebody who only read: nothing is lost by reading again later.
    pub(super) fn of_read(error: &sqlx::Error) -> StoreError {
        match Self::of(error) {
            Self::Refused(why) | Self::Full(why) | Self::Busy(why) => StoreError::Unavailable(why),
            Self::Broken(why) => match error {
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => StoreError::Unavailable(why),
                _ => StoreError::Fatal(why),
            },
        }
    }
}
