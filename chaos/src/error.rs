//! Why there is no verdict.

use std::path::PathBuf;

/// The audit could not be made; nothing is known about the invariants.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A database file is not there.
    #[error("the {book} database is missing: {}", path.display())]
    Missing {
        /// Whose database.
        book: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A newer version of this program has changed the database: this one would misread it.
    #[error(
        "the {book} database was written by a newer version of this program ({}): it has migration {found}, \
         and the newest that is known here is {known}; audit it with that version",
        path.display()
    )]
    Newer {
        /// Whose database.
        book: &'static str,
        /// Which file.
        path: PathBuf,
        /// The first migration in it that is not known.
        found: i64,
        /// The newest migration that is known.
        known: i64,
    },
    /// A database file is there, but it is not what this program expects: locked, damaged, or of another version.
    #[error("the {book} database cannot be read ({}): {why}", path.display())]
    Unreadable {
        /// Whose database.
        book: &'static str,
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}
