//! Opening and migrating: what is not as it must be is refused by name.

use std::time::Duration;

use backstitch_store::testing::{T0, good};
use backstitch_store::{PostgresError, PostgresOptions, PostgresStore, Store as _};

use crate::common::{postgres_options, run_on_postgres};
use crate::{fresh, migrated};

async fn open_error(url: &str) -> PostgresError {
    let options = PostgresOptions { time_limit: Duration::from_millis(500), ..postgres_options() };
    match PostgresStore::open(url, &options).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_empty_database_is_refused_until_it_is_migrated() {
    let url = fresh();
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::NotMigrated { migration: 1, .. }), "{error:?}");
    let error = error.to_string();
    assert!(
        error.contains("`backstitch migrate --database-url") && error.contains("--database-url"),
        "{error}"
    );
    PostgresStore::migrate(&url, &postgres_options()).await.unwrap();
    let store = PostgresStore::open(&url, &postgres_options()).await.unwrap();
    assert_eq!(store.shards(), 4);
    store.close().await;
    run_on_postgres(&url, "DELETE FROM _sqlx_migrations WHERE version = 2").await;
    assert!(matches!(open_error(&url).await, PostgresError::NotMigrated { migration: 2, .. }));
}

#[tokio::test]
async fn a_newer_database_is_refused_by_name() {
    let url = migrated().await;
    run_on_postgres(
        &url,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', true, '', 0)",
    )
    .await;
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::Newer { migration: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("newer version"), "{error}");
    let error = PostgresStore::migrate(&url, &postgres_options()).await.unwrap_err();
    assert!(matches!(error, PostgresError::Newer { migration: 9999, .. }), "{error:?}");
}

#[tokio::test]
async fn several_migrate_at_once_and_a_database_keeps_its_shards() {
    let url = fresh();
    let options = |shards| PostgresOptions { shards, ..postgres_options() };
    let three = options(3);
    let migrate = || PostgresStore::migrate(&url, &three);
    let (a, b, c, d) = tokio::join!(migrate(), migrate(), migrate(), migrate());
    for migrated in [a, b, c, d] {
        migrated.unwrap();
    }
    PostgresStore::migrate(&url, &options(9)).await.unwrap();
    let store = PostgresStore::open(&url, &options(9)).await.unwrap();
    let epochs: Vec<i64> = good(store.acquire("n", T0).await).into_iter().map(|lease| lease.epoch).collect();
    assert_eq!((store.shards(), epochs), (3, vec![4, 5, 6]));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_by_name() {
    let url = fresh();
    let (scheme, rest) = url.split_once("://").unwrap();
    let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
    let error = open_error(&format!("{scheme}://nobody_here:wrong@{server}")).await;
    assert!(matches!(error, PostgresError::Credentials { .. }), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("--database-url") && error.contains("nobody_here"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let url = backstitch_services::postgres_url();
    let base = url.split('?').next().unwrap();
    let server = base.rsplit_once('/').map_or(base, |(server, _)| server);
    let error = open_error(&format!("{server}/no_such_database")).await;
    assert!(matches!(error, PostgresError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://ann:secret@{address}/shop");
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("500ms"), "{error}");
    drop(silent);
    let error = open_error(&url).await.to_string();
    assert!(error.contains(&format!("{address}/shop")) && error.contains("--database-url"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_standby_is_refused_by_name() {
    let url = format!("{}&options[default_transaction_read_only]=on", migrated().await);
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::ReadOnly(_)), "{error:?}");
}
