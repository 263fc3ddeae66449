//! Why a participant's database did not open: what is wrong, with what, and the way out. No message repeats a URL,
//! which may hold a password.

use sqlx::migrate::MigrateError;

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
    /// A database server does not let us in.
    #[error("the database of {service} ({at}) {why}")]
    Server {
        /// Whose database.
        service: &'static str,
        /// Host, port and database name.
        at: String,
        /// What is wrong, and the way out.
        why: String,
    },
    /// The database does not keep what durability needs.
    #[error("the database of {service} has {setting} = {found}, but needs {wanted}")]
    Unsafe {
        /// Whose database.
        service: &'static str,
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value it needs.
        wanted: &'static str,
    },
    /// The database lacks migrations, and this process may not run them.
    #[error(
        "the database of {service} lacks migration {}: run `backstitch migrate --database-url …/shop` for one that is \
         called shop_{service}",
        listed(missing)
    )]
    Behind {
        /// Whose database.
        service: &'static str,
        /// The migrations that are missing.
        missing: Vec<i64>,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the database of {service} is newer than this program: it has migration {version}, which this program does not know"
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
        source: MigrateError,
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

fn listed(versions: &[i64]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
