//! What lies in the tables, in the same words for both databases.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::common;

/// How a column is stored.
#[derive(Clone, Copy)]
enum Kind {
    /// A number or a text.
    Plain,
    /// 16 bytes; Postgres has a type for them.
    Id,
    Bytes,
}
use Kind::{Bytes, Id, Plain};

/// Every table that a history writes, with all columns that both databases have. `shards.numbered` is Postgres's own.
const TABLES: &[(&str, &[(&str, Kind)])] = &[
    ("shards", &[("id", Plain), ("owner", Plain), ("epoch", Plain)]),
    ("counters", &[("name", Plain), ("value", Plain)]),
    (
        "sagas",
        &[
            ("id", Id),
            ("root", Id),
            ("shard", Plain),
            ("definition", Plain),
            ("version", Plain),
            ("status", Plain),
            ("started_at_ms", Plain),
            ("updated_at_ms", Plain),
            ("events", Plain),
        ],
    ),
    (
        "keys",
        &[("scope", Plain), ("key", Plain), ("saga", Id), ("request_hash", Bytes), ("created_at_ms", Plain)],
    ),
    ("journal", &[("saga_id", Id), ("seq", Plain), ("record", Bytes)]),
    (
        "outbox",
        &[
            ("shard", Plain),
            ("number", Plain),
            ("root", Id),
            ("saga", Id),
            ("sequence", Plain),
            ("topic", Plain),
            ("kind", Plain),
            ("payload", Bytes),
            ("traceparent", Plain),
            ("at_ms", Plain),
        ],
    ),
    ("lanes", &[("shard", Plain), ("watermark", Plain)]),
    ("lane_marks", &[("shard", Plain), ("at_s", Plain), ("watermark", Plain)]),
    ("parked_roots", &[("shard", Plain), ("root", Id), ("number", Plain), ("why", Plain), ("at_ms", Plain)]),
];

/// A query for every row of a table as one text.
fn query(table: &str, columns: &[(&str, Kind)], text: impl Fn(&str, Kind) -> String) -> String {
    let texts = columns.iter().map(|(name, kind)| format!("coalesce({}, 'NULL')", text(name, *kind)));
    format!("SELECT {} FROM {table}", texts.collect::<Vec<_>>().join(" || ' | ' || "))
}

/// Every row of every table, each with its table's name; sorted.
pub(crate) async fn sqlite(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in TABLES {
        let text = query(table, columns, |name, kind| match kind {
            Plain => format!("CAST({name} AS TEXT)"),
            // NULL has no digits.
            Id => format!("nullif(lower(hex({name})), '')"),
            Bytes => format!("lower(hex({name}))"),
        });
        let rows = common::query(directory, &text, 0).await;
        all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    all.sort_unstable();
    all
}

/// The same of a Postgres store.
pub(crate) async fn postgres(url: &str) -> Vec<String> {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let mut all = Vec::new();
    for (table, columns) in TABLES {
        let text = query(table, columns, |name, kind| match kind {
            Plain => format!("{name}::text"),
            Id => format!("replace({name}::text, '-', '')"),
            Bytes => format!("encode({name}, 'hex')"),
        });
        let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut conn).await.unwrap();
        all.extend(rows.iter().map(|row| format!("{table}: {}", row.get::<String, _>(0))));
    }
    conn.close().await.unwrap();
    all.sort_unstable();
    all
}
