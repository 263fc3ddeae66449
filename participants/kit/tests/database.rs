//! Opening a participant's database: what it refuses, and what every connection keeps.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use backstitch_services::{On, Postgres, each_database, fresh_database};
use common::{SCHEMA, Shop, TOY};
use participant_kit::{Kit, ManualClock, OpError, OpenError, Schema};
use sqlx::{AnyConnection, Connection as _};

each_database!(a_database_of_a_newer_program_is_refused_by_name, a_changed_migration_is_refused);

async fn open(url: &str) -> Result<Kit, OpenError> {
    Kit::open(&SCHEMA, url, Arc::new(ManualClock::default())).await
}

/// Kit has no Debug, so no `unwrap_err`.
fn error(opened: Result<Kit, OpenError>) -> OpenError {
    match opened {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

async fn settings(conn: &mut AnyConnection) -> (String, i64, i64, i64) {
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *conn).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *conn).await.unwrap();
    let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *conn).await.unwrap();
    let busy_timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *conn).await.unwrap();
    (journal, synchronous, foreign_keys, busy_timeout)
}

#[tokio::test]
async fn a_missing_file_is_created_and_every_connection_is_durable() {
    let shop = Shop::open(On::Sqlite).await;
    assert!(shop.directory.path().join("toy.db").exists());
    let durable = ("wal".to_owned(), 2, 1, 5000);
    let writer =
        shop.kit.run(vec![], |tx| Box::pin(async move { Ok::<_, OpError>(settings(tx.conn()).await) }));
    assert_eq!(writer.await.unwrap(), durable);
    // All of the pool at once, so that each is another connection.
    let mut readers = Vec::new();
    for _ in 0..shop.kit.reads().options().get_max_connections() {
        readers.push(shop.kit.reads().acquire().await.unwrap());
    }
    for mut reader in readers {
        assert_eq!(settings(&mut reader).await, durable);
    }
}

/// What every Postgres session of a participant has.
const SESSION: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_user_timeout", "10000"),
    ("application_name", "backstitch toy"),
];

async fn session(conn: &mut AnyConnection) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (name, _) in SESSION {
        let value = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut *conn);
        found.push((name, value.await.unwrap()));
    }
    found
}

#[tokio::test]
async fn every_connection_to_a_server_is_durable_and_waits_for_nothing_for_ever() {
    let url = fresh_database("toy");
    // Whatever a database's owner has set for it.
    let mut conn = AnyConnection::connect(&url).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut conn).await.unwrap();
    for setting in ["synchronous_commit = off", "default_transaction_isolation = 'serializable'"] {
        let alter = sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET {setting}"));
        sqlx::raw_sql(alter).execute(&mut conn).await.unwrap();
    }
    let shop = Shop::open_at(url, tempfile::tempdir().unwrap()).await;
    let wanted = SESSION.map(|(name, value)| (name, value.to_owned()));
    let writer =
        shop.kit.run(vec![], |tx| Box::pin(async move { Ok::<_, OpError>(session(tx.conn()).await) }));
    assert_eq!(writer.await.unwrap(), wanted);
    let mut reader = shop.kit.reads().acquire().await.unwrap();
    assert_eq!(session(&mut reader).await, wanted);
}

async fn a_database_of_a_newer_program_is_refused_by_name(on: On) {
    let shop = Shop::open(on).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', $1, $2, 0)",
    )
    .bind(true)
    .bind(&b"0"[..])
    .execute(shop.kit.reads())
    .await
    .unwrap();
    for error in [
        error(open(&shop.url).await),
        SCHEMA.migrate(&shop.url).await.unwrap_err(),
        SCHEMA.missing(&shop.url).await.unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Newer { service: "toy", version: 9999 }), "{error}");
        assert!(error.to_string().contains("newer than this program"), "{error}");
    }
}

async fn a_changed_migration_is_refused(on: On) {
    let shop = Shop::open(on).await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = $1 WHERE version = 100")
        .bind(&b"0"[..])
        .execute(shop.kit.reads())
        .await
        .unwrap();
    for error in [error(open(&shop.url).await), SCHEMA.migrate(&shop.url).await.unwrap_err()] {
        assert!(matches!(error, OpenError::Migration { service: "toy", .. }), "{error}");
        assert!(error.to_string().contains("100"), "{error}");
    }
}

#[tokio::test]
async fn a_server_s_database_is_migrated_by_whoever_is_told_to_and_by_nobody_else() {
    let url = fresh_database("toy");
    let all = SCHEMA.missing(&url).await.unwrap();
    assert!(all.is_sorted() && [1, 50, 100].iter().all(|version| all.contains(version)), "{all:?}");
    let error = error(open(&url).await);
    assert!(matches!(&error, OpenError::Behind { service: "toy", missing } if *missing == all), "{error}");
    assert!(error.to_string().contains("run `backstitch migrate --database-url"), "{error}");
    // From several at once: each is done by one of them, and all are done when any is.
    let told = futures::future::join_all((0..5).map(|_| SCHEMA.migrate(&url))).await;
    let mut done: Vec<i64> = told.into_iter().flat_map(Result::unwrap).collect();
    done.sort_unstable();
    assert_eq!(done, all);
    assert_eq!(SCHEMA.missing(&url).await.unwrap(), [0; 0]);
    open(&url).await.unwrap_or_else(|error| panic!("{error}"));
}

/// The URL with another part.
fn with(url: &str, from: &str, to: &str) -> String {
    assert!(url.contains(from), "the tests' server is {url}");
    url.replacen(from, to, 1)
}

#[tokio::test]
async fn what_a_server_says_no_to_is_told_with_its_place_and_a_way_out_and_no_password() {
    let server = Postgres::start_with(&[("max_connections", "8")]);
    let url = server.url();
    let place = format!("127.0.0.1:{}/", server.port());
    let nobody = format!(
        "127.0.0.1:{}",
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    );
    for (url, place, says) in [
        (
            with(&url, "/postgres", "/no_such_shop"),
            place.clone() + "no_such_shop",
            "`backstitch migrate --database-url",
        ),
        (with(&url, ":backstitch@", ":hunter2@"), place.clone() + "postgres", "correct user and password"),
        (
            with(&url, &format!("127.0.0.1:{}", server.port()), &nobody),
            nobody + "/postgres",
            "correct host and port",
        ),
        (format!("{url}?sslmode=require"), place.clone() + "postgres", "sslmode"),
    ] {
        let error = error(open(&url).await);
        assert!(matches!(error, OpenError::Server { service: "toy", .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&place) && text.contains(says), "{text}");
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn migrations_with_one_number_are_refused() {
    static TWICE: Schema = Schema::new("toy", &[&TOY, &TOY]);
    let directory = tempfile::tempdir().unwrap();
    let error = TWICE.migrate(&On::Sqlite.url(directory.path(), "toy")).await.unwrap_err();
    assert!(error.to_string().contains("two have the number 100"), "{error}");
}

#[tokio::test]
async fn a_url_that_cannot_work_is_told_as_the_option_it_is() {
    for url in [
        "",
        "toy.db",
        "mysql://localhost/toy",
        "sqlite:",
        "sqlite://",
        "sqlite::memory:",
        "sqlite:x?mode=memory",
        "postgres://shop:hunter2@host:port/toy",
        "postgres://shop:hunter2@host/toy?sslmode=perhaps",
    ] {
        let error = error(open(url).await);
        assert!(matches!(error, OpenError::Config { option: "database-url", .. }), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_or_cannot_be_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("sqlite:{}/{name}", directory.path().display());
    std::fs::write(directory.path().join("letter.txt"), "Dear database, ".repeat(1000)).unwrap();
    for url in [at("letter.txt"), at("no/such/directory/toy.db"), at(".")] {
        let error = error(open(&url).await);
        assert!(matches!(error, OpenError::Unreachable { service: "toy", .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_durable_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    // This way of locking has no shared memory, and so no write-ahead log.
    let error = error(open(&format!("sqlite:{}/toy.db?vfs=unix-dotfile", directory.path().display())).await);
    assert!(matches!(error, OpenError::Unsafe { setting: "journal_mode", wanted: "wal", .. }), "{error}");
}
