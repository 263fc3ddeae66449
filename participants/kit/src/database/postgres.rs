//! What a Postgres connection needs, and what Postgres' errors mean.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{OpenError, Setting};

/// The oldest server, as `server_version_num` says it.
const OLDEST: i64 = 130_000;

/// How long connecting may take. A server that is frozen accepts connections and says nothing.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// Makes the settings of a session and reads back those that are not ours to make.
pub(super) async fn settle(conn: &mut AnyConnection, service: &str) -> Result<Option<Setting>, sqlx::Error> {
    let session = include_str!("sql/postgres_session.sql").replace("$SERVICE", service);
    sqlx::raw_sql(AssertSqlSafe(session)).execute(&mut *conn).await?;
    let row = sqlx::raw_sql(
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'), \
         current_setting('synchronous_commit')",
    )
    .fetch_one(conn)
    .await?;
    let (version, named, flush): (i64, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if version < OLDEST {
        return Ok(Some(Setting { name: "server version", found: named, wanted: "13 or newer" }));
    }
    match flush.as_str() {
        "on" | "remote_apply" => Ok(None),
        _ => Ok(Some(Setting { name: "synchronous_commit", found: flush, wanted: "on" })),
    }
}

/// Checks a URL without repeating it, and says where it leads.
pub(super) fn place(url: &str) -> Result<String, String> {
    let options: PgConnectOptions = url
        .parse()
        .map_err(|_| "is no URL such as postgres://user:password@host:5432/database".to_owned())?;
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    Ok(format!("{}:{}/{database}", options.get_host(), options.get_port()))
}

/// Why a connection was not had, and the way out.
pub(super) fn refused(service: &'static str, url: &str, error: sqlx::Error) -> OpenError {
    let at = place(url).unwrap_or_default();
    OpenError::Server { service, at, why: why(service, &error) }
}

fn why(service: &str, error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match (code.as_deref(), error) {
        (Some("28P01" | "28000"), _) => {
            format!("does not let us in: {error}; correct user and password in --database-url")
        }
        (Some("3D000"), _) => format!(
            "does not exist; a role alone wants the URL of its own, such as …/shop_{service}, which `backstitch migrate \
             --database-url …/shop` creates"
        ),
        (Some("42501"), _) => format!(
            "does not let this user work there: {error}; grant it, or name another user in --database-url"
        ),
        (Some("53300"), _) => format!("has no connection left: {error}; raise max_connections of the server"),
        (Some("57P03"), _) => format!("is not ready yet: {error}; try again"),
        (None, sqlx::Error::Io(_)) => {
            format!("cannot be reached: {error}; start it, or correct host and port in --database-url")
        }
        (None, sqlx::Error::PoolTimedOut) => {
            "did not answer in time; see whether it is up, or correct --database-url".to_owned()
        }
        (None, sqlx::Error::Tls(_)) => {
            format!("cannot be talked to: {error}; correct sslmode in --database-url")
        }
        _ => format!("does not open: {error}"),
    }
}

/// Whether an operation that failed so, and was rolled back, may succeed when it is run again at once: two transactions
/// got in each other's way, or the server went away and may be back.
pub(crate) fn is_worth_another_try(error: &sqlx::Error) -> bool {
    is_lost(error)
        || error.as_database_error().and_then(|error| error.code()).is_some_and(|code| {
            // serialization_failure, deadlock_detected
            matches!(&*code, "40001" | "40P01")
        })
}

/// Whether the connection is gone: the transport failed, or the server said that it ends.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // Class 57: operator intervention (shutdown, crash, not yet up), but for a cancelled statement; class 08:
        // connection exceptions; 25P03: idle in a transaction for too long.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            (code.starts_with("57") && code != "57014") || code.starts_with("08") || code == "25P03"
        }),
        _ => false,
    }
}
