//! The stores under test.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_store::{
    PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store,
    sqlite::DATABASE_FILE,
    testing::{MemoryStore, Subject},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use uuid::Uuid;

/// The store in memory: what is durable is what it still has.
#[derive(Default)]
pub(crate) struct Memory(Arc<MemoryStore>);

#[async_trait]
impl Subject for Memory {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }

    async fn poison(&self, saga: Uuid) {
        self.0.poison(saga);
    }
}

/// The SQLite store in a directory of its own.
pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        self.0.path()
    }
}

#[async_trait]
impl Subject for Sqlite {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(self.0.path(), &SqliteOptions::default()).await.unwrap())
    }

    async fn poison(&self, saga: Uuid) {
        let name = saga.simple();
        execute(
            self.0.path(),
            &format!(
                "CREATE TRIGGER poison_{name} BEFORE INSERT ON journal WHEN new.saga_id = x'{name}' \
                 BEGIN SELECT RAISE (ABORT, 'poisoned'); END"
            ),
        )
        .await;
    }
}

/// Runs SQL on the database as somebody else would, past the store.
pub(crate) async fn execute(directory: &std::path::Path, sql: &str) {
    let mut conn = connect(directory).await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// Somebody else's connection.
pub(crate) async fn connect(directory: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(directory.join(DATABASE_FILE));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// One text column of what a query answers.
pub(crate) async fn query(directory: &std::path::Path, sql: &str, column: usize) -> Vec<String> {
    let mut conn = connect(directory).await;
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut conn).await.unwrap();
    rows.iter().map(|row| sqlx::Row::get(row, column)).collect()
}

/// The Postgres store in a schema of its own, which is migrated when it is opened first.
pub(crate) struct Postgres {
    pub(crate) url: String,
    migrated: bool,
}

/// As few shards as the other stores have, few connections, and much time: many tests share one server.
pub(crate) fn postgres_options() -> PostgresOptions {
    PostgresOptions { shards: 4, readers: 2, time_limit: std::time::Duration::from_secs(30) }
}

impl Postgres {
    pub(crate) fn new() -> Self {
        Self { url: backstitch_services::fresh_schema("store"), migrated: false }
    }
}

#[async_trait]
impl Subject for Postgres {
    async fn open(&mut self) -> Arc<dyn Store> {
        if !self.migrated {
            PostgresStore::migrate(&self.url, &postgres_options()).await.unwrap();
            self.migrated = true;
        }
        Arc::new(PostgresStore::open(&self.url, &postgres_options()).await.unwrap())
    }

    async fn poison(&self, saga: Uuid) {
        let name = saga.simple();
        run_on_postgres(
            &self.url,
            &format!(
                "CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
                 $$BEGIN RAISE EXCEPTION 'poisoned'; END$$; \
                 CREATE TRIGGER poison_{name} BEFORE INSERT ON journal FOR EACH ROW \
                 WHEN (new.saga_id = '{saga}') EXECUTE FUNCTION poison()"
            ),
        )
        .await;
    }
}

/// Runs SQL on a Postgres database as somebody else would, past the store.
pub(crate) async fn run_on_postgres(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}
