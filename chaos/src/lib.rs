//! What must hold, and those who find where it does not: the auditor of databases at rest, and the
//! [laws of saga definitions](definitions).
//!
//! The auditor reads every database and says which invariant is broken, by what, and where to look. It believes nobody:
//! it opens the databases read-only, sums the entries itself instead of trusting totals, compares our payment ledger with
//! the provider's own books, and folds the journals by itself rather than through the code that wrote them. None of its
//! modules may use the orchestrator's or a participant's code: only their schemas and the protos.
//!
//! * `books` reads, one module per database, and judges nothing.
//! * `laws` judges, one module per invariant, and reads nothing.
//! * [`Report`] is what a person reads, and what a test asserts.
//!
//! [`definitions`] is the opposite on purpose: it runs definitions over the orchestrator's own transition table and the
//! kit's own barrier table, and reads no database. Neither uses the other.
//!
//! "At rest" means that no process writes. Sagas may still be in flight in such files (a killed process): they are
//! counted, and only what must hold at every single commit is asked of what they touched. Parked sagas wait for a
//! person; they are listed, and excused from what only holds at an end.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod books;
pub mod definitions;
mod error;
mod laws;
mod paths;
mod place;
mod report;

pub use error::AuditError;
pub use paths::{AuditPaths, ParticipantPaths};
pub use place::Place;
pub use report::{Amounts, Counts, Invariant, Parked, Report, Violation};

/// Audits the databases. Opens every one read-only and leaves it as it is.
///
/// # Errors
/// When a database is missing or cannot be read as what it should be. A violation is no error: it is in the report.
pub async fn audit(paths: &AuditPaths) -> Result<Report, AuditError> {
    let books = books::Books::read(paths).await?;
    Ok(laws::judge(&books))
}

/// The manual of sagas: its code is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sagas.md")]
struct Manual;
