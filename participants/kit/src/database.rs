//! Opening a participant's database: one URL, the settings that durability needs, the migrations of everybody who has
//! tables in it.
//!
//! Knows the two dialects, so that nobody else has to: everything above speaks one SQL text through sqlx's `Any`.

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection as _, Row as _};

/// Connections for reading; the transactor has its own.
const READERS: u32 = 4;

/// How long a SQLite connection waits for another one's commit, in milliseconds.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 5000";

/// What every SQLite connection must read back: setting, how it is set, how it is asked for, what it must say.
const PRAGMAS: [Pragma; 3] = [
    Pragma {
        name: "journal_mode",
        set: "PRAGMA journal_mode = WAL",
        ask: "PRAGMA journal_mode",
        wanted: "wal",
    },
    // FULL (2): a commit is on the disk before it is answered.
    Pragma { name: "synchronous", set: "PRAGMA synchronous = FULL", ask: "PRAGMA synchronous", wanted: "2" },
    Pragma { name: "foreign_keys", set: "PRAGMA foreign_keys = ON", ask: "PRAGMA foreign_keys", wanted: "1" },
];

struct Pragma {
    name: &'static str,
    set: &'static str,
    ask: &'static str,
    wanted: &'static str,
}

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

/// Which words a database understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Where a database is and how to connect to it. Not printable: the URL may hold a password.
#[derive(Clone)]
pub(crate) struct Database {
    service: &'static str,
    url: String,
    dialect: Dialect,
}

impl Database {
    pub(crate) fn new(service: &'static str, url: &str) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let config = |why: &str| OpenError::Config { option: "database-url", why: why.to_owned() };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self { service, url: url.to_owned(), dialect: Dialect::Postgres });
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err(config("must begin with sqlite: or postgres://"));
        };
        if rest.trim_start_matches('/').is_empty()
            || rest.contains(":memory:")
            || rest.contains("mode=memory")
        {
            return Err(config("must name a file: one in memory belongs to a single connection"));
        }
        // `rwc` creates the file when it is missing; a mode that the URL names itself is left alone.
        let url = match rest.split_once('?') {
            None => format!("{url}?mode=rwc"),
            Some((_, query)) if query.split('&').any(|pair| pair.starts_with("mode=")) => url.to_owned(),
            Some(_) => format!("{url}&mode=rwc"),
        };
        Ok(Self { service, url, dialect: Dialect::Sqlite })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A connection with every setting made and read back.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, OpenError> {
        let unreachable = |source| OpenError::Unreachable { service: self.service, source };
        let mut conn = AnyConnection::connect(&self.url).await.map_err(unreachable)?;
        if let Some((pragma, found)) = settle(&mut conn, self.dialect).await.map_err(unreachable)? {
            let Pragma { name, wanted, .. } = pragma;
            return Err(OpenError::Unsafe { service: self.service, pragma: name, found, wanted });
        }
        Ok(conn)
    }

    /// The pool for reading, each connection with the same settings.
    pub(crate) async fn readers(&self) -> Result<AnyPool, OpenError> {
        let dialect = self.dialect;
        let options = AnyPoolOptions::new().max_connections(READERS).after_connect(move |conn, _| {
            Box::pin(async move {
                match settle(conn, dialect).await? {
                    None => Ok(()),
                    Some((Pragma { name, wanted, .. }, found)) => {
                        Err(sqlx::Error::Configuration(format!("{name} = {found}, needs {wanted}").into()))
                    }
                }
            })
        });
        let unreachable = |source| OpenError::Unreachable { service: self.service, source };
        options.connect(&self.url).await.map_err(unreachable)
    }

    /// Brings the database up to what this program knows: the barrier, the outbox, the participant's own tables.
    pub(crate) async fn migrate(
        &self,
        conn: &mut AnyConnection,
        own: &[&'static Migrator],
    ) -> Result<(), OpenError> {
        static CONTRACT: Migrator = sqlx::migrate!("../../migrations/contract/any");
        let all = [&CONTRACT, outbox_relay::migrations()];
        let migrations: Vec<_> = all.iter().chain(own).flat_map(|m| m.iter().cloned()).collect();
        let mut versions: Vec<i64> = migrations.iter().map(|m| m.version).collect();
        versions.sort_unstable();
        if let Some(twice) = versions.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(OpenError::Other {
                what: format!("the migrations of {}", self.service),
                why: format!("two have the number {}", twice[0]),
            });
        }
        Migrator::with_migrations(migrations).run(conn).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) => OpenError::Newer { service: self.service, version },
            source => OpenError::Migration { service: self.service, source },
        })
    }
}

/// Makes the settings and reads them back; the first one that did not take, with what it says instead.
async fn settle(
    conn: &mut AnyConnection,
    dialect: Dialect,
) -> Result<Option<(&'static Pragma, String)>, sqlx::Error> {
    if dialect == Dialect::Postgres {
        return Ok(None);
    }
    // First: changing the journal mode needs a lock that another connection may hold for a moment.
    sqlx::raw_sql(BUSY_TIMEOUT).execute(&mut *conn).await?;
    for pragma in &PRAGMAS {
        sqlx::raw_sql(pragma.set).execute(&mut *conn).await?;
        let row = sqlx::raw_sql(pragma.ask).fetch_one(&mut *conn).await?;
        let found = match row.try_get::<String, _>(0) {
            Ok(word) => word,
            Err(_) => row.try_get::<i64, _>(0)?.to_string(),
        };
        if !found.eq_ignore_ascii_case(pragma.wanted) {
            return Ok(Some((pragma, found)));
        }
    }
    Ok(None)
}
