//! The same shop on a Postgres server: the tables of its migrations without their constraints, so that whatever was
//! planted in the files can stand in them too, and every row of the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use backstitch_chaos::{AuditPaths, Place};
use backstitch_services::fresh_schema;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use uuid::Uuid;

use super::{BOOKS, migrations, open};

/// Name and type of a column.
type Column = (String, String);

/// The tables of one book as its migrations make them.
struct Made {
    schema: String,
    tables: BTreeMap<String, Vec<Column>>,
}

/// Where the schema of a URL that was answered by [`fresh_schema`] is.
fn schema_of(url: &str) -> String {
    url.rsplit_once("search_path%3D").unwrap().1.to_owned()
}

pub(crate) async fn sql(conn: &mut PgConnection, sql: &str) -> Vec<PgRow> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(conn).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Runs every migration once for all tests of this program, each book in a schema of its own.
async fn made() -> &'static BTreeMap<&'static str, Made> {
    static MADE: OnceLock<BTreeMap<&'static str, Made>> = OnceLock::new();
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    if MADE.get().is_none() {
        let mut made = BTreeMap::new();
        for (book, owners) in BOOKS {
            made.insert(book, migrate(book, owners).await);
        }
        let _ = MADE.set(made);
    }
    MADE.get().unwrap()
}

async fn migrate(book: &str, owners: &[(&str, &str)]) -> Made {
    let url = fresh_schema(book);
    let mut conn = PgConnection::connect(&url).await.unwrap();
    for (owner, dialect) in owners {
        let dialect = if *dialect == "sqlite" { "postgres" } else { dialect };
        for file in migrations(owner, dialect) {
            sql(&mut conn, &std::fs::read_to_string(file).unwrap()).await;
        }
    }
    let columns = "SELECT c.table_name::text, c.column_name::text, c.data_type::text \
                   FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) \
                   WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'";
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in sql(&mut conn, columns).await {
        tables.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    Made { schema: schema_of(&url), tables }
}

/// Copies the files in `dir` to a server; where the copies are.
pub(crate) async fn copy(dir: &Path) -> AuditPaths {
    let mut places = BTreeMap::new();
    for (book, Made { schema, tables }) in made().await {
        let mut file = open(&dir.join(format!("{book}.db"))).await;
        let url = fresh_schema(book);
        let mut conn = PgConnection::connect(&url).await.unwrap();
        for (table, columns) in tables {
            sql(&mut conn, &format!("CREATE TABLE {table} AS TABLE {schema}.{table} WITH NO DATA")).await;
            // The leases of lanes are on servers only; a file belongs to one relay.
            let there = format!("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '{table}'");
            if sqlx::query(AssertSqlSafe(there)).fetch_optional(&mut file).await.unwrap().is_none() {
                assert_eq!(table, "relay_leases", "{book}");
                continue;
            }
            let read = format!("SELECT * FROM {table}");
            let rows = sqlx::query(AssertSqlSafe(read)).fetch_all(&mut file).await.unwrap();
            for row in &rows {
                let values: Vec<(&str, String)> = columns
                    .iter()
                    .filter_map(|(column, kind)| Some((column.as_str(), literal(row, column, kind)?)))
                    .collect();
                let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
                let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
                let insert =
                    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
                sql(&mut conn, &insert).await;
            }
        }
        file.close().await.unwrap();
        places.insert(*book, url);
    }
    AuditPaths::of(|book| Place::Server(places[book].clone()))
}

/// A cell as Postgres writes it; `None` where the file has no such column.
fn literal(row: &SqliteRow, column: &str, kind: &str) -> Option<String> {
    if row.try_get_raw(column).is_err() {
        return None;
    }
    Some(match kind {
        "uuid" => match row.get::<Option<Vec<u8>>, _>(column) {
            Some(bytes) => format!("'{}'", Uuid::from_slice(&bytes).unwrap()),
            None => "NULL".to_owned(),
        },
        "bytea" => match row.get::<Option<Vec<u8>>, _>(column) {
            Some(bytes) => format!("'\\x{}'", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()),
            None => "NULL".to_owned(),
        },
        "text" => match row.get::<Option<String>, _>(column) {
            Some(text) => format!("'{}'", text.replace('\'', "''")),
            None => "NULL".to_owned(),
        },
        "boolean" => row.get::<i64, _>(column).eq(&1).to_string(),
        _ => row.get::<Option<i64>, _>(column).map_or("NULL".to_owned(), |number| number.to_string()),
    })
}
