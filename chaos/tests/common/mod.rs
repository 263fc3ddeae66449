//! A small shop at rest, written row by row as the services write it, to plant faults in.
// Every test binary uses a part of this.
#![allow(dead_code)]

pub(crate) mod returns;
mod rows;
pub(crate) mod server;
mod stories;

use std::path::{Path, PathBuf};

use backstitch_chaos::{AuditPaths, Invariant, Report, audit};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

use rows::BOOKS;

/// Midday of some day; every story happens within minutes of it.
pub(crate) const NOON: i64 = 1_760_000_000_000;

/// The sagas of the shop, by what became of them.
pub(crate) struct Shop {
    dir: tempfile::TempDir,
    pub(crate) completed: Vec<Uuid>,
    /// Refused at the stock; nothing but a cart was ever held.
    pub(crate) out_of_stock: Uuid,
    /// Cancelled after the hold on the card.
    pub(crate) cancelled: Uuid,
    /// Captured, and its order is still pending.
    pub(crate) parked: Uuid,
    /// Killed just after the start, after the hold on the card, and between capture and confirmation.
    pub(crate) in_flight: [Uuid; 3],
}

/// Ids in the rows, as the participants write them.
pub(crate) fn thing(saga: Uuid, name: &str) -> Uuid {
    backstitch_proto::ids::derived(saga, name)
}

/// `X'…'`
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X'{digits}'")
}

impl Shop {
    /// The shop with all its stories, without a fault.
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        rows::create(dir.path()).await;
        let (shop, pen) = stories::tell(dir).await;
        pen.close().await;
        shop
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn paths(&self) -> AuditPaths {
        AuditPaths::in_dir(self.dir.path())
    }

    /// What the auditor says of the files, and just the same of their copies on a server.
    pub(crate) async fn audit(&self) -> Report {
        let of_files = audit(&self.paths()).await.unwrap();
        let on_server = audit(&server::copy(self.dir()).await).await.unwrap();
        assert_eq!(on_server.to_string(), of_files.to_string());
        assert_eq!(serde_json::to_value(&on_server).unwrap(), serde_json::to_value(&of_files).unwrap());
        of_files
    }

    /// Changes a database behind everybody's back: no constraint, key or trigger stands in the way.
    pub(crate) async fn plant(&self, book: &str, sql: &str) {
        let mut conn = open(&self.dir.path().join(format!("{book}.db"))).await;
        let triggers: Vec<String> = sqlx::query_scalar(
            "SELECT 'DROP ' || type || ' ' || name FROM sqlite_schema \
             WHERE type = 'trigger' OR (type = 'index' AND sql LIKE 'CREATE UNIQUE%')",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        for statement in triggers {
            run(&mut conn, &statement).await;
        }
        run(&mut conn, "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").await;
        run(&mut conn, sql).await;
        conn.close().await.unwrap();
    }
}

pub(crate) async fn open(path: &Path) -> SqliteConnection {
    // These files need not survive the machine.
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.synchronous(SqliteSynchronous::Off).connect().await.unwrap()
}

pub(crate) async fn run(conn: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// Takes a table's own constraints away, which cannot be switched off.
pub(crate) fn unconstrained(table: &str) -> String {
    format!(
        "CREATE TABLE copy AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE copy RENAME TO {table};"
    )
}

/// An owner's migrations, in order.
pub(crate) fn migrations(owner: &str, dialect: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(owner).join(dialect);
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ext| ext == "sql")).collect();
    files.sort();
    files
}

/// The number of an owner's last migration.
pub(crate) fn newest(owner: &str, dialect: &str) -> i64 {
    let last = migrations(owner, dialect).pop().unwrap();
    last.file_name().unwrap().to_str().unwrap().split_once('_').unwrap().0.parse().unwrap()
}

/// The report has this violation: of this invariant, in these words, about this id.
pub(crate) fn assert_found(report: &Report, invariant: Invariant, words: &str, id: impl ToString) {
    let id = id.to_string();
    let found = report
        .of(invariant)
        .any(|violation| violation.what.contains(words) && violation.ids.values().any(|of| *of == id));
    assert!(found, "no {} with “{words}” about {id} in:\n{report}", invariant.code());
}

/// Plants one fault in a fresh shop and asserts that it is found.
pub(crate) async fn planted(
    invariant: Invariant,
    book: &str,
    sql: impl Fn(&Shop) -> String,
    words: &str,
    id: impl Fn(&Shop) -> String,
) {
    let shop = Shop::open().await;
    shop.plant(book, &sql(&shop)).await;
    assert_found(&shop.audit().await, invariant, words, id(&shop));
}
