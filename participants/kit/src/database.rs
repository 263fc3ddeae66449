//! Opening a participant's database.

/// Why a participant's database did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL or another option is wrong.
    #[error("{option}: {why}")]
    Config {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The database cannot be reached, or its file neither opened nor created.
    #[error("the database of {service} does not open: {source}")]
    Unreachable {
        /// Whose database.
        service: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The file does not keep what durability needs.
    #[error("the database of {service} has {pragma} = {found}, but needs {wanted}")]
    Unsafe {
        /// Whose database.
        service: &'static str,
        /// The setting.
        pragma: &'static str,
        /// Its value.
        found: String,
        /// The value it needs.
        wanted: &'static str,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the database of {service} is newer than this program: it knows migration {version}, this program does not"
    )]
    Newer {
        /// Whose database.
        service: &'static str,
        /// The unknown migration.
        version: i64,
    },
    /// A migration failed, or one that was applied differs from the one this program has.
    #[error("the database of {service} cannot be migrated: {source}")]
    Migration {
        /// Whose database.
        service: &'static str,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// Anything else that a participant needs at start, e.g. a mailbox directory.
    #[error("{what}: {why}")]
    Other {
        /// What does not open.
        what: String,
        /// Why.
        why: String,
    },
}
