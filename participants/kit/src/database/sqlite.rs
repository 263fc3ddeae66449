//! What a SQLite connection needs: its settings made and read back, its URL checked.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

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

/// The URL as the driver takes it, and the most pages that the file may have, where the URL says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: String,
    pub(super) max_pages: Option<u32>,
}

/// Where a URL leads, or what is wrong with it: a file, created when it is missing unless the URL names a mode itself.
/// `max_page_count` is SQLite's own word for a limit on the file's size; the driver does not know it.
pub(super) fn place(url: &str, rest: &str) -> Result<Place, &'static str> {
    if rest.trim_start_matches('/').is_empty() || rest.contains(":memory:") || rest.contains("mode=memory") {
        return Err("must name a file: one in memory belongs to a single connection");
    }
    let (file, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut max_pages, mut kept) = (None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.strip_prefix("max_page_count=") {
            None => kept.push(pair),
            Some(pages) => max_pages = Some(pages.parse().map_err(|_| "max_page_count must be a number")?),
        }
    }
    if !kept.iter().any(|pair| pair.starts_with("mode=")) {
        kept.push("mode=rwc");
    }
    Ok(Place { url: format!("{file}?{}", kept.join("&")), max_pages })
}

/// Makes the settings and reads them back; the first one that did not take.
pub(super) async fn settle(
    conn: &mut AnyConnection,
    max_pages: Option<u32>,
) -> Result<Option<Setting>, sqlx::Error> {
    // First: changing the journal mode needs a lock that another connection may hold for a moment.
    sqlx::raw_sql(BUSY_TIMEOUT).execute(&mut *conn).await?;
    if let Some(pages) = max_pages {
        // A number only.
        let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(limit).execute(&mut *conn).await?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_ours_and_the_rest_is_the_driver_s() {
        for (url, driver_s, max_pages) in [
            ("sqlite:/a/b.db", "sqlite:/a/b.db?mode=rwc", None),
            ("sqlite:b.db?mode=rw", "sqlite:b.db?mode=rw", None),
            ("sqlite:b.db?cache=private", "sqlite:b.db?cache=private&mode=rwc", None),
            ("sqlite:b.db?max_page_count=90", "sqlite:b.db?mode=rwc", Some(90)),
            (
                "sqlite:b.db?mode=rw&max_page_count=90&cache=private",
                "sqlite:b.db?mode=rw&cache=private",
                Some(90),
            ),
        ] {
            let place = place(url, url.strip_prefix("sqlite:").unwrap());
            assert_eq!(place, Ok(Place { url: driver_s.to_owned(), max_pages }));
        }
        for wrong in ["sqlite::memory:", "sqlite:", "sqlite:x?mode=memory", "sqlite:x?max_page_count=much"] {
            assert!(place(wrong, wrong.strip_prefix("sqlite:").unwrap()).is_err(), "{wrong}");
        }
    }
}
