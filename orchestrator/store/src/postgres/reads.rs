//! Sagas, keys and listings: each answer is one statement, so one instant.

use bytes::Bytes;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{
    pool::Pool,
    values::{Id, Values, counted, get, key_row, limit_of, shard, uuid, version},
};
use crate::{
    Cursor, KEY_LIFE_MS, KeyRow, ListFilter, Page, Purge, Purged, SagaRow, Status, StoreError, StoredSaga,
};

pub(super) async fn load(pool: &Pool, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
    let mut values = Values::default();
    values.add(Id(saga));
    let rows = pool.read(include_str!("sql/load.sql"), values).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let corrupt = |why: String| StoreError::Corrupt { saga, why };
    let row = saga_row(saga, first).map_err(corrupt)?;
    let mut records = Vec::with_capacity(rows.len());
    for (seq, row) in (1_i64..).zip(&rows) {
        if get::<Option<i64>>(row, 7)? != Some(seq) {
            return Err(corrupt(format!("record {seq} is missing")));
        }
        records.push(Bytes::copy_from_slice(get(row, 8)?));
    }
    Ok(Some(StoredSaga { row, records, restored: get(first, 9)? }))
}

pub(super) async fn unfinished(
    pool: &Pool,
    shards: &[u16],
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let mut values = Values::default();
    values.each(shards.iter().map(|shard| i32::from(*shard)));
    values.add(after.map(Id));
    values.add(limit_of(limit));
    let rows = pool.read(include_str!("sql/unfinished.sql"), values).await?;
    rows.iter().map(|row| uuid(row, 0)).collect()
}

pub(super) async fn mark_restored(pool: &Pool, now_ms: i64) -> Result<(), StoreError> {
    let mut values = Values::default();
    values.add(now_ms.max(0));
    pool.write(include_str!("sql/mark_restored.sql"), values).await.map(drop)
}

pub(super) async fn oldest(pool: &Pool) -> Result<Option<Uuid>, StoreError> {
    let rows = pool.read(include_str!("sql/oldest.sql"), Values::default()).await?;
    rows.first().map(|row| uuid(row, 0)).transpose()
}

pub(super) async fn family(pool: &Pool, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
    let mut values = Values::default();
    values.add(Id(root));
    let rows = pool.read(include_str!("sql/family.sql"), values).await?;
    let row = |row: &PgRow| {
        let saga = uuid(row, 7)?;
        saga_row(saga, row).map_err(|why| StoreError::Corrupt { saga, why })
    };
    rows.iter().map(row).collect()
}

pub(super) async fn key(pool: &Pool, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
    let mut values = Values::default();
    values.add(scope);
    values.add(key);
    let rows = pool.read(include_str!("sql/key.sql"), values).await?;
    rows.first().map(key_row).transpose()
}

/// First the writing, then the reading: in one statement the reading would not see what somebody else wrote meanwhile.
pub(super) async fn block_key(
    pool: &Pool,
    scope: &str,
    name: &str,
    now_ms: i64,
) -> Result<KeyRow, StoreError> {
    let mut values = Values::default();
    values.add(scope);
    values.add(name);
    values.add(now_ms);
    pool.write(include_str!("sql/block_key.sql"), values).await?;
    let row = key(pool, scope, name).await?;
    row.ok_or_else(|| StoreError::Unknown("a key that was there a moment ago is not".to_owned()))
}

pub(super) async fn list(pool: &Pool, filter: &ListFilter) -> Result<Page, StoreError> {
    let text = match filter.status {
        Some(_) => include_str!("sql/list_status.sql"),
        None => include_str!("sql/list.sql"),
    };
    let (time, id) = match filter.after {
        Some(cursor) => (cursor.started_at_ms, cursor.id),
        None => (i64::MAX, Uuid::max()),
    };
    let mut values = Values::default();
    values.add(filter.started_from_ms.unwrap_or(0));
    values.add(filter.started_before_ms.unwrap_or(i64::MAX));
    values.add(time);
    values.add(Id(id));
    values.add(filter.definition.as_deref());
    values.add(limit_of(filter.limit.saturating_add(1)));
    if let Some(status) = filter.status {
        values.add(status.code());
    }
    let rows = pool.read(text, values).await?;
    let mut sagas = Vec::with_capacity(rows.len().min(filter.limit));
    for row in rows.iter().take(filter.limit) {
        let saga = uuid(row, 7)?;
        sagas.push(saga_row(saga, row).map_err(|why| StoreError::Corrupt { saga, why })?);
    }
    let more = rows.len() > filter.limit;
    let last = sagas.last().filter(|_| more);
    Ok(Page { next: last.map(|row| Cursor { started_at_ms: row.started_at_ms, id: row.id }), sagas })
}

/// Sagas first: a key may go in the same call.
pub(super) async fn purge(pool: &Pool, what: &Purge) -> Result<Purged, StoreError> {
    let keys_after_ms = what.keys_after_ms.max(KEY_LIFE_MS).max(what.sagas_after_ms);
    let count = async |text, after_ms| {
        let mut values = Values::default();
        values.add(what.now_ms.saturating_sub(after_ms));
        values.add(limit_of(what.limit));
        let rows = pool.write(text, values).await?;
        rows.first().map_or(Ok(0), |row| counted(row, 0))
    };
    Ok(Purged {
        sagas: count(include_str!("sql/purge_sagas.sql"), what.sagas_after_ms).await?,
        keys: count(include_str!("sql/purge_keys.sql"), keys_after_ms).await?,
    })
}

/// A saga's row from `root, shard, definition, version, status, started_at_ms, updated_at_ms`.
fn saga_row(id: Uuid, row: &PgRow) -> Result<SagaRow, String> {
    let text = |error: StoreError| error.to_string();
    Ok(SagaRow {
        id,
        root: uuid(row, 0).map_err(text)?,
        shard: get(row, 1).and_then(shard).map_err(text)?,
        definition: get(row, 2).map_err(text)?,
        version: get(row, 3).and_then(version).map_err(text)?,
        status: Status::from_code(get::<i16>(row, 4).map_err(text)?.into())
            .map_err(|error| error.to_string())?,
        started_at_ms: get(row, 5).map_err(text)?,
        updated_at_ms: get(row, 6).map_err(text)?,
    })
}
