//! Lanes: reading events in commit order, moving the watermark, parking roots, retention.

use std::collections::HashSet;

use bytes::Bytes;
use sqlx::{SqlitePool, sqlite::SqliteRow};

use super::{
    fault::Fault,
    lookup::{get, uuid},
    reads::limit_of,
    rows::Binds,
    writer::Writer,
};
use crate::{LaneLag, NewEvent, OutboxRow, StoreError};

pub(super) async fn pending(
    readers: &SqlitePool,
    shard: u16,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let query =
        sqlx::query(include_str!("sql/lane_pending.sql")).bind(i64::from(shard)).bind(limit_of(limit));
    let rows = query.fetch_all(readers).await.map_err(|error| Fault::of_read(&error))?;
    rows.iter().map(|row| event(shard, row)).collect()
}

pub(super) async fn published(
    writer: &mut Writer,
    shard: u16,
    numbers: &[i64],
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(highest) = numbers.iter().max() else { return Ok(()) };
    let numbers: HashSet<i64> = numbers.iter().copied().collect();
    let mut binds = Binds::default();
    binds.int(i64::from(shard));
    binds.int(*highest);
    // Held-back events behind the highest one are passed over too, by the next call.
    let rows = writer.run(include_str!("sql/lane_unpublished.sql"), binds).await?;
    let mut watermark = None;
    for row in &rows {
        let (number, held): (i64, bool) = (get(row, 0)?, get::<i64>(row, 1)? != 0);
        if !held && !numbers.contains(&number) {
            break;
        }
        watermark = Some(number);
    }
    let Some(watermark) = watermark else { return Ok(()) };
    let mut binds = Binds::default();
    binds.int(i64::from(shard));
    binds.int(watermark);
    binds.int(now_ms.div_euclid(1000));
    writer.run(include_str!("sql/lane_published.sql"), binds).await.map(drop)
}

pub(super) async fn park(
    writer: &mut Writer,
    shard: u16,
    number: i64,
    why: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut binds = Binds::default();
    binds.int(i64::from(shard));
    binds.int(number);
    binds.text(why);
    binds.int(now_ms);
    writer.run(include_str!("sql/lane_park.sql"), binds).await.map(drop)
}

pub(super) async fn purge(
    writer: &mut Writer,
    shard: u16,
    published_before_ms: i64,
    limit: usize,
) -> Result<u64, StoreError> {
    let mut binds = Binds::default();
    binds.int(i64::from(shard));
    binds.int(published_before_ms.div_euclid(1000));
    binds.int(limit_of(limit));
    let rows = writer.run(include_str!("sql/lane_purge.sql"), binds).await?;
    counted(&rows, 0)
}

pub(super) async fn published_since(
    readers: &SqlitePool,
    shard: u16,
    since_ms: i64,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let rows = sqlx::query(include_str!("sql/lane_published_since.sql"))
        .bind(i64::from(shard))
        .bind(since_ms.div_euclid(1000))
        .bind(after.unwrap_or(0))
        .bind(limit_of(limit))
        .fetch_all(readers)
        .await
        .map_err(|error| Fault::of_read(&error))?;
    rows.iter().map(|row| event(shard, row)).collect()
}

pub(super) async fn lag(readers: &SqlitePool, shard: u16) -> Result<LaneLag, StoreError> {
    let row = sqlx::query(include_str!("sql/lane_lag.sql"))
        .bind(i64::from(shard))
        .fetch_one(readers)
        .await
        .map_err(|error| Fault::of_read(&error))?;
    let count = |at| get::<i64>(&row, at).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(LaneLag { waiting: count(0)?, oldest_at_ms: get(&row, 1)?, held: count(2)?, parked_roots: count(3)? })
}

/// The n-th count that a script has answered.
pub(super) fn counted(rows: &[SqliteRow], nth: usize) -> Result<u64, StoreError> {
    let row =
        rows.get(nth).ok_or_else(|| StoreError::Fatal("a script has not answered its count".to_owned()))?;
    Ok(u64::try_from(get::<i64>(row, 0)?).unwrap_or(0))
}

/// An event from `number, root, saga, sequence, topic, kind, payload, traceparent, at_ms`.
fn event(shard: u16, row: &SqliteRow) -> Result<OutboxRow, StoreError> {
    Ok(OutboxRow {
        shard,
        number: get(row, 0)?,
        root: uuid(row, 1)?,
        saga: uuid(row, 2)?,
        sequence: get(row, 3)?,
        event: NewEvent {
            topic: get(row, 4)?,
            kind: get(row, 5)?,
            payload: Bytes::copy_from_slice(get(row, 6)?),
            traceparent: get(row, 7)?,
            at_ms: get(row, 8)?,
        },
    })
}
