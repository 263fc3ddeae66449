//! Postgres, as tests use and mistreat it.

use std::time::Duration;

use backstitch_services::{Postgres, Service as _, fresh_database, fresh_schema};
use sqlx::{Connection as _, PgConnection};

async fn one(connection: &mut PgConnection, sql: &'static str) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_one(connection).await
}

#[tokio::test]
async fn databases_and_schemas_are_fresh_and_ones_own() {
    let (a, b, c) = (fresh_database("same"), fresh_database("same"), fresh_schema("same"));
    for url in [&a, &b, &c] {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query("CREATE TABLE t (x int)").execute(&mut connection).await.unwrap();
    }
    let mut connection = PgConnection::connect(&c).await.unwrap();
    let schema = one(&mut connection, "SELECT current_schema()::text").await.unwrap();
    assert!(schema.contains("same"), "{schema}");
}

#[tokio::test]
async fn what_was_committed_survives_whatever_ends_it() {
    let postgres = Postgres::start();
    assert_eq!(postgres.sql("SHOW fsync"), ["on"]);
    postgres.sql("CREATE TABLE t (how text)");
    for how in ["kill", "stop", "stop_immediately"] {
        let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
        postgres.sql(&format!("INSERT INTO t VALUES ('{how}')"));
        match how {
            "kill" => postgres.kill(),
            "stop" => postgres.stop(),
            _ => postgres.stop_immediately(),
        }
        assert!(one(&mut connection, "SELECT 'here'").await.is_err(), "{how}: its backend is still there");
        assert!(postgres.answers().is_err(), "{how}: it still answers");
        postgres.start_again();
    }
    assert_eq!(postgres.sql("SELECT how FROM t ORDER BY how"), ["kill", "stop", "stop_immediately"]);
}

#[tokio::test]
async fn frozen_means_all_of_it_and_only_until_it_is_thawed() {
    let postgres = Postgres::start();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    postgres.freeze();
    let answer = tokio::spawn(async move { one(&mut connection, "SELECT 'here'").await });
    // Nobody can show that something never happens; a backend that runs answers within a millisecond.
    let pause = tokio::time::sleep(Duration::from_millis(300));
    pause.await;
    assert!(!answer.is_finished(), "a frozen server has answered");
    postgres.thaw();
    assert_eq!(answer.await.unwrap().unwrap(), "here");
}

#[tokio::test]
async fn terminated_backends_are_counted() {
    let postgres = Postgres::start();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    assert_eq!(postgres.terminate_backends(), 1);
    assert!(one(&mut connection, "SELECT 'here'").await.is_err());
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let postgres = Postgres::start();
    let wrong = postgres.url().replace("backstitch:backstitch@", "backstitch:guessed@");
    let refused = PgConnection::connect(&wrong).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[test]
fn it_is_gone_with_its_value() {
    let postgres = Postgres::start();
    let (dir, id) = (postgres.process().dir().to_owned(), postgres.process().id().unwrap());
    assert!(dir.is_dir());
    drop(postgres);
    assert!(!dir.exists() && !std::path::Path::new(&format!("/proc/{id}")).exists());
}
