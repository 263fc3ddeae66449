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
