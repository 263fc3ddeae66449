//! Postgres's error codes, by what the store does about them.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::StoreError;

/// A failed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A row that can never be written: a constraint, or a value over Postgres's limits. Nothing was written.
    Refused(String),
    /// A row is there that was not when it was read last: read again. Nothing was written.
    Duplicate(String),
    /// It stood in another transaction's way: the same statement goes through now. Nothing was written.
    Again(String),
    /// No room on the server's disk. Nothing was written.
    Full(String),
    /// A time limit, a server that takes no writes, somebody's missing right: later perhaps. Nothing was written.
    Later(String),
    /// The connection broke, or the server ended it, after the statement may have been sent.
    Lost(String),
}

impl Fault {
    /// What an error means that came instead of a statement's answer.
    ///
    /// A statement that the server answers with an error was rolled back, whatever the error; only when the server
    /// ends the connection (a fatal error) or it breaks, the commit may have come first.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        let why = error.to_string();
        match error {
            sqlx::Error::Database(answer) => match answer.try_downcast_ref::<PgDatabaseError>() {
                Some(answer) => Self::of_answer(answer),
                None => Self::Lost(why),
            },
            sqlx::Error::Encode(_) => Self::Refused(why),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::Later(why),
            _ => Self::Lost(why),
        }
    }

    fn of_answer(answer: &PgDatabaseError) -> Self {
        let why = format!("{} ({})", answer.message(), answer.code());
        if matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic) {
            return Self::Lost(why);
        }
        // https://www.postgresql.org/docs/15/errcodes-appendix.html
        match answer.code() {
            "23505" => Self::Duplicate(why),
            "40001" | "40P01" => Self::Again(why),
            "53100" => Self::Full(why),
            code => match &code[..code.len().min(2)] {
                // A broken constraint, a bad value, a limit of Postgres, an exception of a trigger.
                "23" | "22" | "54" | "P0" => Self::Refused(why),
                _ => Self::Later(why),
            },
        }
    }

    /// What it means to somebody who only read: nothing is lost by reading again later.
    pub(super) fn of_read(error: &sqlx::Error) -> StoreError {
        match Self::of(error) {
            Self::Refused(why)
            | Self::Duplicate(why)
            | Self::Again(why)
            | Self::Full(why)
            | Self::Later(why)
            | Self::Lost(why) => StoreError::Unavailable(why),
        }
    }

    /// What it means to somebody who wrote, and not a batch.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Refused(why) | Self::Duplicate(why) => StoreError::Invalid(why),
            Self::Full(why) => StoreError::Full(why),
            Self::Again(why) | Self::Later(why) => StoreError::Unavailable(why),
            Self::Lost(why) => StoreError::Unknown(why),
        }
    }
}
