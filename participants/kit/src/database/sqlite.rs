//! What a SQLite connection needs: its settings made and read back, its URL checked.

use sqlx::{AnyConnection, Row as _};

use super::Setting;

/// How long a connection waits for another one's commit, in milliseconds.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 5000";

/// What every connection must read back: setting, how it is set, how it is asked for, what it must say.
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

/// The URL with what makes it a file that is created when it is missing, or what is wrong with it.
pub(super) fn url(url: &str, rest: &str) -> Result<String, &'static str> {
    if rest.trim_start_matches('/').is_empty() || rest.contains(":memory:") || rest.contains("mode=memory") {
        return Err("must name a file: one in memory belongs to a single connection");
    }
    // A mode that the URL names itself is left alone.
    Ok(match rest.split_once('?') {
        None => format!("{url}?mode=rwc"),
        Some((_, query)) if query.split('&').any(|pair| pair.starts_with("mode=")) => url.to_owned(),
        Some(_) => format!("{url}&mode=rwc"),
    })
}

/// Makes the settings and reads them back; the first one that did not take.
pub(super) async fn settle(conn: &mut AnyConnection) -> Result<Option<Setting>, sqlx::Error> {
    // First: changing the journal mode needs a lock that another connection may hold for a moment.
    sqlx::raw_sql(BUSY_TIMEOUT).execute(&mut *conn).await?;
    for Pragma { name, set, ask, wanted } in PRAGMAS {
        sqlx::raw_sql(set).execute(&mut *conn).await?;
        let row = sqlx::raw_sql(ask).fetch_one(&mut *conn).await?;
        let found = match row.try_get::<String, _>(0) {
            Ok(word) => word,
            Err(_) => row.try_get::<i64, _>(0)?.to_string(),
        };
        if !found.eq_ignore_ascii_case(wanted) {
            return Ok(Some(Setting { name, found, wanted }));
        }
    }
    Ok(None)
}
