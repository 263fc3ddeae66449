//! How an operation ends, what a handler answers, and the one place where the second becomes a status.

use std::time::Duration;

use backstitch_proto::contract::{self, Refusal, Verdict};
use tonic::Status;

use crate::lock::LockKey;

/// Why an operation inside a transaction did not succeed. Whatever it is, nothing that the operation wrote remains.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// The business says no, for good: stored, and answered to every repetition.
    #[error("refused: {}: {}", .0.reason, .0.detail)]
    Refused(Refusal),
    /// Not in this attempt; nothing is stored.
    #[error("not now: {why}")]
    NotNow {
        /// When to try again.
        after: Duration,
        /// For the log.
        why: String,
    },
    /// A bug or a misconfiguration; a person has to look.
    #[error("broken: {0}")]
    Broken(String),
    /// The key is already settled against this op.
    #[error("superseded: {0}")]
    Superseded(String),
    /// The plain status of an operation that belongs to no saga. Rolls back like a refusal.
    #[error("{0}")]
    Status(Status),
    /// The database said no. Return the first one at once: SQLite may have dropped the transaction with it, and a
    /// statement after it would then commit by itself.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The operation found that it needs these keys too; it is run again with them. See `Tx::lock`.
    #[error("needs the locks {0:?} first")]
    Lock(Vec<LockKey>),
    /// The transaction may or may not have been committed. The transactor's word; an operation never says it.
    #[error("unknown: {0}")]
    Unknown(String),
}

impl OpError {
    /// A plain status as an error.
    pub fn status(status: Status) -> Self {
        OpError::Status(status)
    }

    /// Not now, for `why`; to be tried again after `after`.
    pub fn not_now(after: Duration, why: impl Into<String>) -> Self {
        OpError::NotNow { after, why: why.into() }
    }

    /// A bug or a misconfiguration.
    pub fn broken(why: impl Into<String>) -> Self {
        OpError::Broken(why.into())
    }
}

impl From<Refusal> for OpError {
    fn from(refusal: Refusal) -> Self {
        OpError::Refused(refusal)
    }
}

impl From<Status> for OpError {
    fn from(status: Status) -> Self {
        OpError::Status(status)
    }
}

/// For doors outside any saga, where no verdict is due: `?` turns an operation's error into a plain status.
impl From<OpError> for Status {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Status(status) => status,
            OpError::Refused(r) => crate::status::precondition(&r.reason, &r.detail, r.metadata),
            OpError::NotNow { why, .. } => Status::unavailable(why),
            OpError::Superseded(why) => Status::aborted(why),
            OpError::Broken(why) => Status::internal(why),
            OpError::Lock(keys) => Status::unavailable(format!("{keys:?} are needed first")),
            OpError::Database(error) => Status::unavailable(format!("database: {error}")),
            OpError::Unknown(why) => Status::unknown(why),
        }
    }
}

/// What a handler of a saga's call answers instead of an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A promise about the key: no call with it had or will have an effect.
    Refused(Refusal),
    /// A promise about this attempt only: it had no effect.
    NotNow {
        /// When to try again.
        after: Duration,
        /// For the log.
        why: String,
    },
    /// A bug or a misconfiguration.
    Broken(String),
    /// The key is already settled against this op.
    Superseded(String),
    /// A plain status: no verdict, so the caller reads it as Unknown.
    Status(Status),
    /// It may have happened. No *not now*, even if nothing was asked for in this attempt: a caller that has heard nothing
    /// else would not know that there is something to settle.
    Unknown {
        /// When to try again; zero: whenever.
        after: Duration,
        /// For the log.
        why: String,
    },
}

impl Fault {
    /// How long a caller is asked to wait when nothing better is known.
    pub const SOON: Duration = Duration::from_millis(200);

    /// Not now, because of `why`.
    pub(crate) fn soon(why: impl Into<String>) -> Self {
        Self::not_before(Duration::ZERO, why)
    }

    /// The same where somebody wants to be left alone for `after`, if that is longer.
    pub(crate) fn not_before(after: Duration, why: impl Into<String>) -> Self {
        Fault::NotNow { after: after.max(Self::SOON), why: why.into() }
    }

    /// It may have happened; to be asked again whenever the caller does.
    pub(crate) fn unknown(why: impl Into<String>) -> Self {
        Fault::Unknown { after: Duration::ZERO, why: why.into() }
    }

    /// The status that `service` answers the call with `key` with.
    pub fn into_status(self, service: &str, key: &str) -> Status {
        match self {
            Fault::Refused(refusal) => Verdict::Refused(refusal).into_status(service, key),
            Fault::NotNow { after, why } => Verdict::NotNow { after, why }.into_status(service, key),
            Fault::Broken(why) => Verdict::Broken(why).into_status(service, key),
            Fault::Superseded(why) => Verdict::Superseded(why).into_status(service, key),
            Fault::Status(status) => status,
            Fault::Unknown { after, why } => contract::unknown(service, key, &why, after),
        }
    }

    /// The word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::Refused(_) => "refused",
            Fault::NotNow { .. } => "not_now",
            Fault::Broken(_) => "broken",
            Fault::Superseded(_) => "superseded",
            Fault::Status(_) => "status",
            Fault::Unknown { .. } => "unknown",
        }
    }
}

impl From<OpError> for Fault {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Refused(refusal) => Fault::Refused(refusal),
            OpError::NotNow { after, why } => Fault::NotNow { after, why },
            OpError::Broken(why) => Fault::Broken(why),
            OpError::Superseded(why) => Fault::Superseded(why),
            OpError::Status(status) => Fault::Status(status),
            OpError::Lock(keys) => Fault::soon(format!("{keys:?} are needed first")),
            OpError::Database(error) => database(&error),
            OpError::Unknown(why) => Fault::unknown(why),
        }
    }
}

/// What a database error means once the transactor has made sure that the transaction was rolled back: this attempt
/// had no effect. A violated constraint will be violated again, so a person has to look.
fn database(error: &sqlx::Error) -> Fault {
    match error.as_database_error() {
        Some(e) if e.is_unique_violation() || e.is_foreign_key_violation() || e.is_check_violation() => {
            Fault::Broken(format!("a constraint of the database does not hold: {e}"))
        }
        _ => Fault::soon(format!("database: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_carries_a_verdict_exactly_if_it_promises_something() {
        let refusal = || Refusal::new("OUT_OF_STOCK", "only 2 left").with("sku", "A");
        let after = Duration::from_millis(250);
        let promises = [
            (Fault::Refused(refusal()), Verdict::Refused(refusal())),
            (Fault::NotNow { after, why: "busy".into() }, Verdict::NotNow { after, why: "busy".into() }),
            (Fault::Broken("bug".into()), Verdict::Broken("bug".into())),
            (Fault::Superseded("undone".into()), Verdict::Superseded("undone".into())),
        ];
        for (fault, verdict) in promises {
            let status = fault.into_status("inventory", "k");
            assert_eq!(Verdict::from_status(&status, "inventory", "k"), Some(verdict));
        }
        let busy = Fault::Unknown { after, why: "busy".into() };
        for fault in [Fault::unknown("lost"), busy.clone(), Fault::Status(Status::aborted("plain"))] {
            let status = fault.into_status("inventory", "k");
            assert_eq!(Verdict::from_status(&status, "inventory", "k"), None);
        }
        assert_eq!(contract::unknown_for(&busy.into_status("inventory", "k"), "inventory", "k"), after);
    }

    #[test]
    fn a_database_error_that_was_rolled_back_promises_that_this_attempt_had_no_effect() {
        assert!(matches!(Fault::from(OpError::Database(sqlx::Error::PoolClosed)), Fault::NotNow { .. }));
        assert!(matches!(Fault::from(OpError::Unknown("commit".into())), Fault::Unknown { .. }));
    }
}
