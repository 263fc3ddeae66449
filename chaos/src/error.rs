//! Why there is no verdict.

/// The audit could not be made; nothing is known about the invariants.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A database is not there.
    #[error("the {book} database is missing: {at}")]
    Missing {
        /// Whose database.
        book: &'static str,
        /// Where it was looked for.
        at: String,
    },
    /// A newer version of this program has changed the database: this one would misread it.
    #[error(
        "the {book} database was written by a newer version of this program ({at}): it has migration {found}, \
         and the newest that is known here is {known}; audit it with that version"
    )]
    Newer {
        /// Whose database.
        book: &'static str,
        /// Which one.
        at: String,
        /// The first migration in it that is not known.
        found: i64,
        /// The newest migration that is known.
        known: i64,
    },
    /// A database is there, but it is not what this program expects: locked, damaged, out of reach, or of another version.
    #[error("the {book} database cannot be read ({at}): {why}")]
    Unreadable {
        /// Whose database.
        book: &'static str,
        /// Which one.
        at: String,
        /// What went wrong.
        why: String,
    },
}
