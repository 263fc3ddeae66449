//! Opening a participant's database: what it refuses, and what every connection keeps.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{OWN, Shop, TOY};
use participant_kit::{Kit, ManualClock, OpError, OpenError};
use sqlx::AnyConnection;
use sqlx::migrate::Migrator;

async fn open(url: &str, own: &'static [&'static Migrator]) -> Result<Kit, OpenError> {
    Kit::open("toy", url, own, Arc::new(ManualClock::default())).await
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
    let shop = Shop::open().await;
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

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_by_name() {
    let shop = Shop::open().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(shop.kit.reads())
    .await
    .unwrap();
    let error = error(open(&shop.url(), OWN).await);
    assert!(matches!(error, OpenError::Newer { service: "toy", version: 9999 }), "{error}");
    assert!(error.to_string().contains("newer than this program"), "{error}");
}

#[tokio::test]
async fn migrations_with_one_number_are_refused() {
    static TWICE: &[&Migrator] = &[&TOY, &TOY];
    let directory = tempfile::tempdir().unwrap();
    let error = error(open(&format!("sqlite:{}/toy.db", directory.path().display()), TWICE).await);
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
    ] {
        let error = error(open(url, OWN).await);
        assert!(matches!(error, OpenError::Config { option: "database-url", .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_or_cannot_be_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("sqlite:{}/{name}", directory.path().display());
    std::fs::write(directory.path().join("letter.txt"), "Dear database, ".repeat(1000)).unwrap();
    for url in [at("letter.txt"), at("no/such/directory/toy.db"), at(".")] {
        let error = error(open(&url, OWN).await);
        assert!(matches!(error, OpenError::Unreachable { service: "toy", .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_durable_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    // This way of locking has no shared memory, and so no write-ahead log.
    let error =
        error(open(&format!("sqlite:{}/toy.db?vfs=unix-dotfile", directory.path().display()), OWN).await);
    assert!(matches!(error, OpenError::Unsafe { pragma: "journal_mode", wanted: "wal", .. }), "{error}");
}
