//! SQL, for setting up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

/// The names of databases and schemas made here begin so.
pub(crate) const PREFIX: &str = "backstitch_t";
/// What an earlier run left on a server that outlives it is dropped after so many seconds.
const LEFTOVER: u64 = 6 * 3600;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Runs each statement by itself; the last one's first column as text, if it returns rows.
pub(crate) fn run(url: &str, statements: &[String]) -> Result<Vec<String>, String> {
    let (url, statements) = (url.to_owned(), statements.to_owned());
    let work = async move {
        let mut connection = PgConnection::connect(&url).await?;
        let mut rows = Vec::new();
        for statement in statements {
            rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut connection).await?;
        }
        let texts = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(texts)
    };
    // A thread of its own: the caller may be inside a runtime, which must not be blocked from within.
    let done = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(work)
    });
    done.join().expect("the statements do not panic").map_err(|e| e.to_string())
}

/// Makes an empty database on the server of `url`; its URL.
pub(crate) fn create_database(url: &str, prefix: &str) -> String {
    let name = name(prefix);
    // template0, because nobody can be connected to it, which CREATE DATABASE would refuse.
    run(url, &[format!("CREATE DATABASE {name} TEMPLATE template0")])
        .unwrap_or_else(|e| panic!("database `{name}` cannot be made (may the user of DATABASE_URL?): {e}"));
    with_database(url, &name)
}

/// Makes an empty schema in the database of `url`; an URL whose connections see that schema only.
pub(crate) fn create_schema(url: &str, prefix: &str) -> String {
    let name = name(prefix);
    run(url, &[format!("CREATE SCHEMA {name}")])
        .unwrap_or_else(|e| panic!("schema `{name}` cannot be made: {e}"));
    format!("{url}{}options=-csearch_path%3D{name}", if url.contains('?') { '&' } else { '?' })
}

/// Drops what runs of long ago have left; and what any process has left that has ended, if those are all `of_this_run`
/// and so of this machine. A suite's databases would fill a disk together: each has megabytes.
pub(crate) fn drop_leftovers(url: &str, of_this_run: bool) {
    let of = |catalog: &str, column: &str| {
        run(url, &[format!("SELECT {column}::text FROM {catalog} WHERE {column} LIKE '{PREFIX}%'")])
            .unwrap_or_else(|e| panic!("the server of DATABASE_URL does not answer: {e}"))
    };
    let old = |name: &String| {
        let ended = of_this_run && made_by(name).is_some_and(|process| !is_alive(process));
        ended || made_at(name).is_some_and(|at| at + LEFTOVER < now())
    };
    let databases = of("pg_database", "datname").into_iter().filter(old);
    let schemas = of("pg_namespace", "nspname").into_iter().filter(old);
    let drops = databases.map(|name| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    for drop in drops.chain(schemas.map(|name| format!("DROP SCHEMA IF EXISTS {name} CASCADE"))) {
        // Somebody else may be at it too; what stays is dropped by the next run.
        let _ = run(url, &[drop]);
    }
}

/// A name that nobody has used: when, by which process, the how manieth.
fn name(prefix: &str) -> String {
    assert!(
        prefix.len() <= 24
            && prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
        "`{prefix}`: give at most 24 of a-z, 0-9 and _"
    );
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{:x}_{}_{prefix}_{count}", now(), std::process::id())
}

fn made_at(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(PREFIX)?.split('_').next()?, 16).ok()
}

fn made_by(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('_').nth(1)?.parse().ok()
}

fn is_alive(process: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process}")).exists()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// `url` with another database.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (address, options) = match url.split_once('?') {
        Some((address, options)) => (address, format!("?{options}")),
        None => (url, String::new()),
    };
    let server = address.find("://").map_or(0, |at| at + 3);
    let end = address[server..].find('/').map_or(address.len(), |at| server + at);
    format!("{}/{name}{options}", &address[..end])
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::Postgres;

    #[test]
    fn the_database_of_an_url_can_be_another() {
        assert_eq!(with_database("postgres://u:p@h:1/a", "b"), "postgres://u:p@h:1/b");
        assert_eq!(with_database("postgres://u:p@h:1", "b"), "postgres://u:p@h:1/b");
        assert_eq!(with_database("postgres://h/a?sslmode=require", "b"), "postgres://h/b?sslmode=require");
    }

    #[test]
    fn a_name_tells_when_it_was_made() {
        let (one, other) = (name("cart"), name("cart"));
        assert_ne!(one, other);
        assert!(made_at(&one).is_some_and(|at| at <= now() && at + 60 > now()), "{one}");
        assert_eq!(made_at("shop"), None);
        assert_eq!((made_by(&one), made_by("shop")), (Some(std::process::id()), None));
    }

    #[test]
    fn what_a_process_left_that_has_ended_is_dropped_where_processes_can_be_asked_after() {
        let server = Postgres::start_thrown_away();
        let url = server.url();
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let (theirs, mine) = (format!("{PREFIX}{:x}_{}_shop_0_cart", now(), ended.id()), name("shop"));
        for name in [&theirs, &mine] {
            run(&url, &[format!("CREATE DATABASE {name}")]).unwrap();
            run(&url, &[format!("CREATE SCHEMA {name}")]).unwrap();
        }
        let left = |catalog: &str, column: &str| {
            let like = format!("{column} LIKE '{PREFIX}%' ORDER BY {column} = '{mine}'");
            run(&url, &[format!("SELECT {column}::text FROM {catalog} WHERE {like}")]).unwrap()
        };
        let everything = || [left("pg_database", "datname"), left("pg_namespace", "nspname")];
        drop_leftovers(&url, false);
        assert_eq!(everything(), [[theirs.clone(), mine.clone()], [theirs, mine.clone()]]);
        drop_leftovers(&url, true);
        assert_eq!(everything(), [[mine.clone()], [mine.clone()]]);
    }
}
