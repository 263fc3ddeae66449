//! What only a store in a shared database can get wrong: opening it, two nodes at once, a connection that is cut, a
//! statement that runs on after it was given up.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod cut;
mod locks;
mod opening;
mod server;

use std::{sync::Arc, task::Poll};

use async_trait::async_trait;
use backstitch_store::testing::{Subject, Trial};
use backstitch_store::{PostgresOptions, PostgresStore, Store};
use common::postgres_options;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use uuid::Uuid;

/// A store in a schema that the test keeps; its connections bear the schema's name.
struct At {
    url: String,
    options: PostgresOptions,
}

#[async_trait]
impl Subject for At {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.url, &self.options).await.unwrap())
    }

    async fn poison(&self, _saga: Uuid) {
        panic!("nothing here poisons");
    }
}

/// An empty schema, and a name for connections that nobody else has.
fn fresh() -> String {
    let url = backstitch_services::fresh_schema("pg");
    let schema = url.rsplit("%3D").next().unwrap().to_owned();
    format!("{url}&application_name={schema}")
}

async fn migrated() -> String {
    let url = fresh();
    PostgresStore::migrate(&url, &postgres_options()).await.unwrap();
    url
}

async fn trial(url: &str) -> Trial {
    trial_with(url, postgres_options()).await
}

async fn trial_with(url: &str, options: PostgresOptions) -> Trial {
    Trial::new(Box::new(At { url: url.to_owned(), options })).await
}

/// Somebody else's connection.
async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

async fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(conn).await.unwrap().get(0)
}

/// Drives two futures until the first is done or `blocker`'s transaction has so many others waiting for it; answers
/// whether that is so.
async fn until_waiting(
    blocker: &mut PgConnection,
    waiting: i64,
    mut work: std::pin::Pin<&mut impl Future>,
) -> bool {
    let pid = number(blocker, "SELECT pg_backend_pid()::bigint").await;
    // Of the locks, because of the activity a transaction sees one picture only.
    let sql = format!(
        "WITH waits AS (SELECT DISTINCT pid, pg_blocking_pids(pid) AS for FROM pg_locks WHERE NOT granted), \
         direct AS (SELECT pid FROM waits WHERE {pid} = ANY (waits.for)) \
         SELECT count(*) FROM waits WHERE {pid} = ANY (waits.for) OR waits.for && ARRAY(SELECT pid FROM direct)"
    );
    for _ in 0..20_000 {
        let done = std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_ready())).await;
        if done {
            return false;
        }
        if number(blocker, &sql).await >= waiting {
            return true;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody waits");
}
