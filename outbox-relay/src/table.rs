//! The participants' outbox table as a [`Source`]. One SQL text for SQLite and Postgres.
//!
//! Keeps no cursor: it reads what is unmarked, so a row that commits late is found like any other.

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Row as _};
use uuid::Uuid;

use crate::lent::Lent;
use crate::{Event, Lag, Row, RowId, Source, SourceError};

/// Marks go in statements of these sizes, padded by repetition, so that few statements are ever prepared.
const MARK_SIZES: [usize; 4] = [1, 8, 64, 512];

/// An outbox table (`migrations/outbox/any`) over a pool that may write.
#[derive(Debug, Clone)]
pub struct TableSource {
    name: String,
    pool: AnyPool,
}

/// A row that was set aside, for a person to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its number; give it to [`TableSource::release`].
    pub id: RowId,
    /// The key whose later rows wait behind it.
    pub key: String,
    /// `ce_type` of the event.
    pub kind: String,
    /// What the sink said.
    pub why: String,
    /// When it was parked, Unix milliseconds.
    pub parked_at_ms: i64,
}

impl TableSource {
    /// `name` labels logs and metrics; `pool` must be able to write.
    pub fn new(name: impl Into<String>, pool: AnyPool) -> Self {
        Self { name: name.into(), pool }
    }

    /// At most `limit` parked rows, lowest number first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn parked(&self, limit: usize) -> Result<Vec<Parked>, SourceError> {
        let rows = sqlx::query(
            "SELECT number, key, kind, parked_why, parked_at_ms FROM outbox WHERE state = 'parked' \
             ORDER BY number LIMIT $1",
        )
        .bind(as_limit(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Parked {
                    id: RowId(row.try_get("number")?),
                    key: row.try_get("key")?,
                    kind: row.try_get("kind")?,
                    why: row.try_get("parked_why")?,
                    parked_at_ms: row.try_get("parked_at_ms")?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(SourceError::from)
    }

    /// Lets a parked row and everything behind it be published again, after its cause was removed. Answers
    /// false when that row is not parked.
    ///
    /// # Errors
    /// When the table cannot be written; then nothing was released.
    pub async fn release(&self, row: RowId) -> Result<bool, SourceError> {
        let mut tx = self.pool.begin().await?;
        let released =
            sqlx::query(include_str!("sql/release_row.sql")).bind(row.0).fetch_optional(&mut *tx).await?;
        let Some(released) = released else {
            return Ok(false);
        };
        let (source, key): (String, String) = (released.try_get("source")?, released.try_get("key")?);
        // The counter row first: an append that was born held must be committed before its row is released.
        for sql in [
            "UPDATE outbox_keys SET state = 'open' WHERE source = $1 AND key = $2",
            "UPDATE outbox SET state = 'waiting' WHERE source = $1 AND key = $2 AND state = 'held'",
        ] {
            sqlx::query(sql).bind(&source).bind(&key).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn set_aside(
        &self,
        number: i64,
        source: &str,
        key: &str,
        why: &str,
        now_ms: i64,
    ) -> Result<(), SourceError> {
        let mut conn = Lent::of(&self.pool).await?;
        let mut tx = conn.begin().await?;
        let parked = sqlx::query(include_str!("sql/park_row.sql"))
            .bind(number)
            .bind(now_ms)
            .bind(why)
            .execute(&mut *tx)
            .await?;
        if parked.rows_affected() == 0 {
            return Ok(());
        }
        sqlx::query(include_str!("sql/hold_key.sql")).bind(source).bind(key).execute(&mut *tx).await?;
        sqlx::query(include_str!("sql/hold_rows.sql"))
            .bind(source)
            .bind(key)
            .bind(number)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        conn.give_back();
        Ok(())
    }
}

#[async_trait]
impl Source for TableSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn pending(&self, limit: usize) -> Result<Vec<Row>, SourceError> {
        let mut conn = Lent::of(&self.pool).await?;
        let found =
            sqlx::query(include_str!("sql/pending.sql")).bind(as_limit(limit)).fetch_all(&mut *conn).await?;
        conn.give_back();
        found.iter().map(|row| decode(row).map_err(SourceError::from)).collect()
    }

    async fn published(&self, rows: &[RowId], now_ms: i64) -> Result<(), SourceError> {
        let mut conn = Lent::of(&self.pool).await?;
        mark(&mut conn, rows, now_ms).await?;
        conn.give_back();
        Ok(())
    }

    async fn park(&self, row: &Row, why: &str, now_ms: i64) -> Result<(), SourceError> {
        self.set_aside(row.id.0, &row.event.source, &row.event.key, why, now_ms).await
    }

    async fn purge(&self, published_before_ms: i64, limit: usize) -> Result<u64, SourceError> {
        let mut conn = Lent::of(&self.pool).await?;
        // The horizon first: an auditor between the two statements may believe too much was purged, never too
        // little.
        sqlx::query(include_str!("sql/purge_horizon.sql"))
            .bind(published_before_ms)
            .execute(&mut *conn)
            .await?;
        let deleted = sqlx::query(include_str!("sql/purge.sql"))
            .bind(published_before_ms)
            .bind(as_limit(limit))
            .execute(&mut *conn)
            .await?;
        conn.give_back();
        Ok(deleted.rows_affected())
    }

    async fn published_since(
        &self,
        since_ms: i64,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, SourceError> {
        let mut conn = Lent::of(&self.pool).await?;
        let found = sqlx::query(include_str!("sql/published_since.sql"))
            .bind(since_ms)
            .bind(after.map_or(i64::MIN, |id| id.0))
            .bind(as_limit(limit))
            .fetch_all(&mut *conn)
            .await?;
        conn.give_back();
        found.iter().map(|row| decode(row).map_err(SourceError::from)).collect()
    }

    async fn lag(&self, now_ms: i64) -> Result<Lag, SourceError> {
        let mut lag = Lag::default();
        let mut conn = Lent::of(&self.pool).await?;
        let waiting = sqlx::query("SELECT COUNT(*) AS rows FROM outbox WHERE state = 'waiting'")
            .fetch_one(&mut *conn)
            .await?;
        lag.waiting = count(&waiting)?;
        // Numbers carry their time in front, so the lowest number is the oldest row for all practical purposes.
        let oldest = sqlx::query("SELECT at_ms FROM outbox WHERE state = 'waiting' ORDER BY number LIMIT 1")
            .fetch_optional(&mut *conn)
            .await?;
        if let Some(oldest) = oldest {
            lag.oldest_ms = now_ms.saturating_sub(oldest.try_get("at_ms")?).max(0);
        }
        let stuck = sqlx::query(include_str!("sql/stuck.sql")).fetch_all(&mut *conn).await?;
        conn.give_back();
        for row in stuck {
            match row.try_get::<String, _>("state")?.as_str() {
                "parked" => lag.parked = count(&row)?,
                _ => lag.held = count(&row)?,
            }
        }
        Ok(lag)
    }
}

/// Marks rows as published on `conn`, one statement for up to 512 of them. Idempotent. For a producer that has its own
/// way to write; everybody else has [`TableSource`].
///
/// # Errors
/// Whatever the database says; some rows may be marked then.
pub async fn mark(conn: &mut AnyConnection, rows: &[RowId], now_ms: i64) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while let Some(last) = rest.last().copied() {
        let size = MARK_SIZES.into_iter().find(|size| *size >= rest.len()).unwrap_or(512);
        let (now, later) = rest.split_at(size.min(rest.len()));
        let sql = mark_sql(size);
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(now_ms);
        for id in now.iter().copied().chain(std::iter::repeat(*now.last().unwrap_or(&last))).take(size) {
            query = query.bind(id.0);
        }
        query.execute(&mut *conn).await?;
        rest = later;
    }
    Ok(())
}

/// A row that another relay parked stays parked although this one published it: it costs a duplicate when it is
/// released, while the other way round it would vanish from a person's sight with its key still held.
fn mark_sql(size: usize) -> String {
    let places: Vec<String> = (2..size + 2).map(|n| format!("${n}")).collect();
    format!(
        "UPDATE outbox SET state = 'published', published_at_ms = $1 \
         WHERE state IN ('waiting', 'held') AND number IN ({})",
        places.join(", ")
    )
}

fn decode(row: &AnyRow) -> Result<Row, sqlx::Error> {
    let event_id: String = row.try_get("event_id")?;
    Ok(Row {
        id: RowId(row.try_get("number")?),
        event_id: Uuid::parse_str(&event_id)
            .map_err(|error| sqlx::Error::ColumnDecode { index: "event_id".into(), source: error.into() })?,
        sequence: row.try_get("sequence")?,
        event: Event {
            topic: row.try_get("topic")?,
            kind: row.try_get("kind")?,
            source: row.try_get("source")?,
            key: row.try_get("key")?,
            subject: row.try_get("subject")?,
            payload: row.try_get("payload")?,
            traceparent: row.try_get("traceparent")?,
            at_ms: row.try_get("at_ms")?,
        },
    })
}

fn count(row: &AnyRow) -> Result<u64, sqlx::Error> {
    let rows: i64 = row.try_get("rows")?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl From<sqlx::Error> for SourceError {
    fn from(error: sqlx::Error) -> Self {
        let wrong_schema = match &error {
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::TypeNotFound { .. } => true,
            // SQLite's generic error (no such table or column); Postgres' class of syntax and schema errors.
            sqlx::Error::Database(database) => {
                database.code().is_some_and(|code| code == "1" || (code.len() == 5 && code.starts_with("42")))
            }
            _ => false,
        };
        if wrong_schema { Self::Broken(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}
