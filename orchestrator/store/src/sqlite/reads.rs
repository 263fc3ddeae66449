//! Reading sagas, keys and listings, on the readers' connections: each answer is one statement, so one instant.

use bytes::Bytes;
use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    fault::Fault,
    leases::json,
    lookup::{get, key_row, uuid},
};
use crate::{Cursor, KeyRow, ListFilter, Page, SagaRow, Status, StoreError, StoredSaga};

pub(super) async fn load(readers: &SqlitePool, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
    let rows = sqlx::query(include_str!("sql/load.sql"))
        .bind(saga.as_bytes().as_slice())
        .fetch_all(readers)
        .await
        .map_err(|error| Fault::of_read(&error))?;
    let Some(first) = rows.first() else { return Ok(None) };
    let corrupt = |why: String| StoreError::Corrupt { saga, why };
    let row = saga_row(saga, first).map_err(corrupt)?;
    let mut records = Vec::with_capacity(rows.len());
    for (seq, row) in (1_i64..).zip(&rows) {
        let found = row.try_get::<Option<i64>, _>(7).map_err(|error| corrupt(error.to_string()))?;
        if found != Some(seq) {
            return Err(corrupt(format!("record {seq} is missing")));
        }
        let record: &[u8] = row.try_get(8).map_err(|error| corrupt(error.to_string()))?;
        records.push(Bytes::copy_from_slice(record));
    }
    Ok(Some(StoredSaga { row, records, restored: get(first, 9)? }))
}

pub(super) async fn unfinished(
    readers: &SqlitePool,
    shards: &[u16],
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    // Every id is longer than no bytes at all, and greater.
    let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    let rows = sqlx::query(include_str!("sql/unfinished.sql"))
        .bind(json(shards))
        .bind(after)
        .bind(limit_of(limit))
        .fetch_all(readers)
        .await
        .map_err(|error| Fault::of_read(&error))?;
    rows.iter().map(|row| uuid(row, 0)).collect()
}

pub(super) async fn oldest(readers: &SqlitePool) -> Result<Option<Uuid>, StoreError> {
    let row = sqlx::query(include_str!("sql/oldest.sql")).fetch_optional(readers).await;
    row.map_err(|error| Fault::of_read(&error))?.as_ref().map(|row| uuid(row, 0)).transpose()
}

pub(super) async fn family(readers: &SqlitePool, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
    let rows = sqlx::query(include_str!("sql/family.sql"))
        .bind(root.as_bytes().as_slice())
        .fetch_all(readers)
        .await
        .map_err(|error| Fault::of_read(&error))?;
    let row = |row: &SqliteRow| {
        let saga = uuid(row, 7)?;
        saga_row(saga, row).map_err(|why| StoreError::Corrupt { saga, why })
    };
    rows.iter().map(row).collect()
}

pub(super) async fn key(readers: &SqlitePool, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
    let row = sqlx::query("SELECT saga, request_hash, created_at_ms FROM keys WHERE scope = ?1 AND key = ?2")
        .bind(scope)
        .bind(key)
        .fetch_optional(readers)
        .await
        .map_err(|error| Fault::of_read(&error))?;
    row.as_ref().map(key_row).transpose()
}

pub(super) async fn list(readers: &SqlitePool, filter: &ListFilter) -> Result<Page, StoreError> {
    let text = match filter.status {
        Some(_) => include_str!("sql/list_status.sql"),
        None => include_str!("sql/list.sql"),
    };
    let (time, id) = match filter.after {
        Some(cursor) => (cursor.started_at_ms, cursor.id),
        None => (i64::MAX, Uuid::max()),
    };
    let mut query = sqlx::query(text)
        .bind(filter.started_from_ms.unwrap_or(0))
        .bind(filter.started_before_ms.unwrap_or(i64::MAX))
        .bind(time)
        .bind(id.as_bytes().to_vec())
        .bind(filter.definition.clone())
        .bind(limit_of(filter.limit.saturating_add(1)));
    if let Some(status) = filter.status {
        query = query.bind(status.code());
    }
    let rows = query.fetch_all(readers).await.map_err(|error| Fault::of_read(&error))?;
    let mut sagas = Vec::with_capacity(rows.len().min(filter.limit));
    for row in rows.iter().take(filter.limit) {
        let saga = uuid(row, 7)?;
        sagas.push(saga_row(saga, row).map_err(|why| StoreError::Corrupt { saga, why })?);
    }
    let more = rows.len() > filter.limit;
    let last = sagas.last().filter(|_| more);
    Ok(Page { next: last.map(|row| Cursor { started_at_ms: row.started_at_ms, id: row.id }), sagas })
}

/// A saga's row from `root, shard, definition, version, status, started_at_ms, updated_at_ms`.
fn saga_row(id: Uuid, row: &SqliteRow) -> Result<SagaRow, String> {
    let text = |error: StoreError| error.to_string();
    let number = |at: usize| get::<i64>(row, at).map_err(text);
    Ok(SagaRow {
        id,
        root: uuid(row, 0).map_err(text)?,
        shard: u16::try_from(number(1)?).map_err(|error| error.to_string())?,
        definition: get(row, 2).map_err(text)?,
        version: u32::try_from(number(3)?).map_err(|error| error.to_string())?,
        status: Status::from_code(number(4)?).map_err(|error| error.to_string())?,
        started_at_ms: number(5)?,
        updated_at_ms: number(6)?,
    })
}

pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
