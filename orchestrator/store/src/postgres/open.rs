//! Opening a store: the settings that durability and fencing rest on, the schema, and what is wrong in plain words.

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, Row as _,
    migrate::{Migrate as _, Migrator},
    postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgPoolOptions},
};

/// The oldest server that is supported, as `server_version_num` tells it.
const OLDEST: i32 = 130_000;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/orchestrator/postgres");

/// How a [`PostgresStore`](crate::PostgresStore) is opened.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// How many shards a new database gets; one that exists keeps its own.
    pub shards: u16,
    /// Connections beside the one that writes batches.
    pub readers: u32,
    /// How long anything may take. Keep it below the lease, so that a statement ends before its shard is somebody
    /// else's. The server gives up a little earlier than we do, and a lock is waited for half as long.
    pub time_limit: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { shards: 16, readers: 4, time_limit: Duration::from_secs(5) }
    }
}

/// A database that was not opened or migrated. Each message names the database and the way out.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address cannot be read.
    #[error(
        "--database-url is no address of a Postgres database (postgres://user:password@host:port/name): {0}"
    )]
    Address(String),
    /// Nobody answers there, or not in time.
    #[error("the database {database} (--database-url) does not answer: {why}")]
    Unreachable {
        /// Which, without its password.
        database: String,
        /// Why.
        why: String,
    },
    /// The server does not let us in.
    #[error("the database {database} does not let us in; check user and password in --database-url: {why}")]
    Credentials {
        /// Which, without its password.
        database: String,
        /// Why.
        why: String,
    },
    /// The server has no such database.
    #[error(
        "the database {database} does not exist; the orchestrator wants the URL of its own, such as …/shop_orchestrator, \
         which `backstitch migrate --database-url …/shop` creates: {why}"
    )]
    Missing {
        /// Which, without its password.
        database: String,
        /// Why.
        why: String,
    },
    /// The server is too old.
    #[error(
        "the database {database} (--database-url) runs on Postgres {found}; at least Postgres 13 is needed"
    )]
    TooOld {
        /// Which, without its password.
        database: String,
        /// The server's version.
        found: String,
    },
    /// A setting that durability rests on did not take effect.
    #[error("the database {database}: {setting} is {found}, not {wanted}; the store would not be durable")]
    Unsafe {
        /// Which, without its password.
        database: String,
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The server is a standby, or takes no writes for another reason.
    #[error("the database {0} is read-only; name the primary server with --database-url")]
    ReadOnly(String),
    /// The schema is not there, or not whole.
    #[error(
        "the database {database} lacks migration {migration} of this version; run `backstitch migrate --database-url \
         …/shop` first, for one that is called shop_orchestrator"
    )]
    NotMigrated {
        /// Which, without its password.
        database: String,
        /// The first migration that is missing.
        migration: i64,
    },
    /// A newer version of this program migrated it. Use that version, or another database.
    #[error(
        "the database {database} was migrated by a newer version of this program (its migration {migration} is not \
         known)"
    )]
    Newer {
        /// Which, without its password.
        database: String,
        /// The first migration that this program does not know.
        migration: i64,
    },
    /// Anything else that the database says.
    #[error("the database {database}: {why}")]
    Database {
        /// Which, without its password.
        database: String,
        /// What it says.
        why: String,
    },
}

/// Where the database is, and with which settings it is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Server {
    settings: PgConnectOptions,
    /// Host, port and name for messages.
    name: String,
    pub(super) time_limit: Duration,
}

impl Server {
    pub(super) fn new(url: &str, time_limit: Duration) -> Result<Self, PostgresError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(PostgresError::Address("it does not begin with postgres://".to_owned()));
        }
        let settings = PgConnectOptions::from_str(url)
            .map_err(|error| PostgresError::Address(error.to_string()))?
            .disable_statement_logging();
        let settings = match settings.get_application_name() {
            Some(_) => settings,
            None => settings.application_name("backstitch"),
        };
        let database = settings.get_database().unwrap_or(settings.get_username());
        let name = match settings.get_socket() {
            Some(socket) => format!("{}:{}/{database}", socket.display(), settings.get_port()),
            None => format!("{}:{}/{database}", settings.get_host(), settings.get_port()),
        };
        Ok(Self { settings, name, time_limit })
    }

    /// Settings of every connection that serves the store.
    fn limited(&self) -> PgConnectOptions {
        let ms = |limit: Duration| limit.as_millis().max(1).to_string();
        let limit = self.time_limit;
        self.settings.clone().options([
            ("synchronous_commit", "on".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", ms(limit * 3 / 4)),
            ("lock_timeout", ms(limit / 2)),
            ("idle_in_transaction_session_timeout", ms(limit)),
            // When we are gone without a word, the server notices as soon.
            ("tcp_user_timeout", ms(limit)),
            ("tcp_keepalives_idle", limit.as_secs().max(1).to_string()),
            ("tcp_keepalives_interval", limit.as_secs().max(1).to_string()),
            ("tcp_keepalives_count", "2".to_owned()),
        ])
    }

    /// The connection that writes batches. Its statements are planned once and for all: few rows in, each found by an
    /// index. A plan that was made while the tables were small would otherwise read them whole when they are large.
    pub(super) async fn connect_writer(&self) -> Result<PgConnection, PostgresError> {
        let settings = self.limited().options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
        ]);
        let connecting = async {
            let mut conn =
                PgConnection::connect_with(&settings).await.map_err(|error| self.problem(&error))?;
            self.check(&mut conn).await?;
            Ok(conn)
        };
        match tokio::time::timeout(self.time_limit, connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                let why = format!("no answer within {:?}", self.time_limit);
                Err(PostgresError::Unreachable { database: self.name.clone(), why })
            }
        }
    }

    /// Connections for everything else, made when they are needed.
    pub(super) fn pool(&self, readers: u32) -> PgPool {
        let server = self.clone();
        PgPoolOptions::new()
            .max_connections(readers.max(1))
            .acquire_timeout(self.time_limit)
            .after_connect(move |conn, _| {
                let server = server.clone();
                Box::pin(async move {
                    server.check(conn).await.map_err(|error| sqlx::Error::Configuration(error.into()))
                })
            })
            .connect_lazy_with(self.limited())
    }

    /// A connection without limits of time, for migrations.
    async fn connect_patiently(&self) -> Result<PgConnection, PostgresError> {
        let settings = self.settings.clone().options([("synchronous_commit", "on")]);
        let connecting = PgConnection::connect_with(&settings);
        let mut conn = match tokio::time::timeout(self.time_limit, connecting).await {
            Ok(connected) => connected.map_err(|error| self.problem(&error))?,
            Err(_) => {
                let why = format!("no answer within {:?}", self.time_limit);
                return Err(PostgresError::Unreachable { database: self.name.clone(), why });
            }
        };
        self.check(&mut conn).await?;
        Ok(conn)
    }

    /// Makes the schema, or brings it up to date, and creates the shards of a new database. Several may do so at once:
    /// one works and the others wait, for as long as it takes. Answers what was applied.
    pub(super) async fn migrate(&self, shards: u16) -> Result<Vec<i64>, PostgresError> {
        let mut conn = self.connect_patiently().await?;
        // Under one lock, so that what is told as applied here was applied here.
        conn.lock().await.map_err(|error| self.database(&error))?;
        let missing = self.lacked_by(&mut conn).await?;
        let mut migrator = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
        migrator.set_locking(false);
        // Not `run`: its bound on the connection is "not general enough" for a future that must be Send.
        migrator.run_direct(None, &mut conn, false).await.map_err(|error| self.database(&error))?;
        sqlx::query(include_str!("sql/create_shards.sql"))
            .bind(i32::from(shards.max(1)))
            .execute(&mut conn)
            .await
            .map_err(|error| self.database(&error))?;
        conn.unlock().await.map_err(|error| self.database(&error))?;
        conn.close().await.map_err(|error| self.database(&error))?;
        Ok(missing)
    }

    /// Which migrations are missing.
    pub(super) async fn missing(&self) -> Result<Vec<i64>, PostgresError> {
        let mut conn = self.connect_patiently().await?;
        let missing = self.lacked_by(&mut conn).await?;
        conn.close().await.map_err(|error| self.database(&error))?;
        Ok(missing)
    }

    /// See [`PostgresStore::after_restore`](crate::PostgresStore::after_restore).
    pub(super) async fn after_restore(&self) -> Result<i64, PostgresError> {
        let mut conn = self.connect_patiently().await?;
        self.check_schema(&mut conn).await?;
        let answer = sqlx::query(include_str!("sql/after_restore.sql")).fetch_one(&mut conn).await;
        let last = self.read(answer.and_then(|row| row.try_get(0)))?;
        conn.close().await.map_err(|error| self.database(&error))?;
        Ok(last)
    }

    /// Whether the schema is this version's; answers the number of shards.
    pub(super) async fn check_schema(&self, conn: &mut PgConnection) -> Result<u16, PostgresError> {
        let lacking = |migration| PostgresError::NotMigrated { database: self.name.clone(), migration };
        if let Some(migration) = self.lacked_by(conn).await?.first() {
            return Err(lacking(*migration));
        }
        let shards = sqlx::query("SELECT count(*) FROM shards").fetch_one(&mut *conn).await;
        let shards: i64 = self.read(shards.and_then(|row| row.try_get(0)))?;
        match u16::try_from(shards) {
            Ok(0) => Err(lacking(MIGRATIONS.iter().next().map_or(0, |first| first.version))),
            Ok(shards) => Ok(shards),
            Err(_) => Err(self.database(&format!("it has {shards} shards"))),
        }
    }

    /// Which migrations this database lacks; one that has unknown ones is refused.
    async fn lacked_by(&self, conn: &mut PgConnection) -> Result<Vec<i64>, PostgresError> {
        let wanted = MIGRATIONS.iter().map(|migration| migration.version);
        let there = sqlx::query("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *conn);
        let there: bool = self.read(there.await.and_then(|row| row.try_get(0)))?;
        if !there {
            return Ok(wanted.collect());
        }
        let applied = sqlx::query("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version");
        let applied: Vec<i64> = self
            .read(applied.fetch_all(&mut *conn).await)?
            .iter()
            .map(|row| self.read(row.try_get(0)))
            .collect::<Result<_, _>>()?;
        if let Some(migration) =
            applied.iter().find(|version| !wanted.clone().any(|known| known == **version))
        {
            return Err(PostgresError::Newer { database: self.name.clone(), migration: *migration });
        }
        Ok(wanted.filter(|version| !applied.contains(version)).collect())
    }

    /// Reads back what was set: whoever stands between us and the server may ignore it without a word.
    async fn check(&self, conn: &mut PgConnection) -> Result<(), PostgresError> {
        let text = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), \
                    current_setting('synchronous_commit'), current_setting('transaction_isolation'), \
                    current_setting('transaction_read_only') = 'on', current_setting('fsync')";
        let row = self.read(sqlx::query(text).fetch_one(conn).await)?;
        let version: i32 = self.read(row.try_get(0))?;
        self.check_version(version, self.read(row.try_get(1))?)?;
        for (at, setting, wanted) in
            [(2, "synchronous_commit", "on"), (3, "transaction_isolation", "read committed")]
        {
            let found: String = self.read(row.try_get(at))?;
            if found != wanted {
                let database = self.name.clone();
                return Err(PostgresError::Unsafe { database, setting, found, wanted });
            }
        }
        if self.read(row.try_get(4))? {
            return Err(PostgresError::ReadOnly(self.name.clone()));
        }
        let fsync: String = self.read(row.try_get(5))?;
        if fsync != "on" {
            tracing::warn!(database = %self.name, "fsync is {fsync}: a power loss may lose what was acknowledged");
        }
        Ok(())
    }

    fn check_version(&self, version: i32, found: String) -> Result<(), PostgresError> {
        match version >= OLDEST {
            true => Ok(()),
            false => Err(PostgresError::TooOld { database: self.name.clone(), found }),
        }
    }

    fn read<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, PostgresError> {
        answer.map_err(|error| self.problem(&error))
    }

    pub(super) fn database(&self, why: &dyn std::fmt::Display) -> PostgresError {
        PostgresError::Database { database: self.name.clone(), why: why.to_string() }
    }

    /// Why there is no connection.
    fn problem(&self, error: &sqlx::Error) -> PostgresError {
        let database = self.name.clone();
        let Some(answer) =
            error.as_database_error().and_then(|answer| answer.try_downcast_ref::<PgDatabaseError>())
        else {
            return match error {
                sqlx::Error::Configuration(_) => PostgresError::Address(error.to_string()),
                _ => PostgresError::Unreachable { database, why: error.to_string() },
            };
        };
        let why = answer.message().to_owned();
        match answer.code() {
            "28P01" | "28000" => PostgresError::Credentials { database, why },
            "3D000" => PostgresError::Missing { database, why },
            // Too many connections; starting or shutting down.
            "53300" | "57P01" | "57P02" | "57P03" => PostgresError::Unreachable { database, why },
            code => PostgresError::Database { database, why: format!("{why} ({code})") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_setting_that_did_not_take_effect_is_refused_by_name() {
        let server = Server::new(&backstitch_services::fresh_schema("open"), Duration::from_secs(2)).unwrap();
        for (statement, setting, value) in [
            ("SET synchronous_commit = off", "synchronous_commit", "off"),
            ("SET synchronous_commit = local", "synchronous_commit", "local"),
            ("SET default_transaction_isolation = serializable", "transaction_isolation", "serializable"),
        ] {
            let mut conn = server.connect_writer().await.unwrap();
            sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
            match server.check(&mut conn).await {
                Err(PostgresError::Unsafe { setting: named, found, .. }) => {
                    assert_eq!((named, found.as_str()), (setting, value));
                }
                other => panic!("{statement}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn everything_ends_before_the_time_limit() {
        let server = Server::new(&backstitch_services::fresh_schema("open"), Duration::from_secs(2)).unwrap();
        let mut conn = server.connect_writer().await.unwrap();
        for (setting, value) in [
            ("statement_timeout", "1500ms"),
            ("lock_timeout", "1s"),
            ("idle_in_transaction_session_timeout", "2s"),
            // In milliseconds, as the system keeps it.
            ("tcp_user_timeout", "2000"),
        ] {
            let row = sqlx::query("SELECT current_setting($1)").bind(setting).fetch_one(&mut conn).await;
            assert_eq!(row.unwrap().get::<String, _>(0), value, "{setting}");
        }
    }

    fn server(url: &str) -> Server {
        Server::new(url, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_by_name() {
        let server = server("postgres://ann:secret@shop:5433/orders");
        server.check_version(130_000, "13.0".to_owned()).unwrap();
        let error = server.check_version(120_022, "12.22".to_owned()).unwrap_err().to_string();
        for word in ["shop:5433/orders", "12.22", "Postgres 13", "--database-url"] {
            assert!(error.contains(word), "{word}: {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_option() {
        for url in ["", "orders", "mysql://shop/orders", "postgres://shop:port/orders"] {
            let error = Server::new(url, Duration::from_secs(1)).unwrap_err().to_string();
            assert!(error.contains("--database-url") && error.contains("postgres://user"), "{url}: {error}");
        }
    }
}
