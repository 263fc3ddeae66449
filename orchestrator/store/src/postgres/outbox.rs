//! Lanes: reading events in commit order, moving the watermark, parking roots, retention.

use bytes::Bytes;
use sqlx::postgres::PgRow;

use super::{
    pool::Pool,
    values::{Values, counted, get, limit_of, uuid},
};
use crate::{LaneLag, NewEvent, OutboxRow, StoreError};

fn of(shard: u16) -> Values {
    let mut values = Values::default();
    values.add(i32::from(shard));
    values
}

pub(super) async fn pending(pool: &Pool, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
    let mut values = of(shard);
    values.add(limit_of(limit));
    let rows = pool.read(include_str!("sql/lane_pending.sql"), values).await?;
    rows.iter().map(|row| event(shard, row)).collect()
}

pub(super) async fn published(
    pool: &Pool,
    shard: u16,
    numbers: &[i64],
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(highest) = numbers.iter().max() else { return Ok(()) };
    let mut values = of(shard);
    values.add(numbers);
    values.add(*highest);
    values.add(now_ms.div_euclid(1000));
    pool.write(include_str!("sql/lane_published.sql"), values).await.map(drop)
}

pub(super) async fn park(
    pool: &Pool,
    shard: u16,
    number: i64,
    why: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut values = of(shard);
    values.add(number);
    // The reason is whatever a broker said; Postgres has no text with a NUL.
    values.add(why.replace('\0', "\u{fffd}"));
    values.add(now_ms);
    pool.write(include_str!("sql/lane_park.sql"), values).await.map(drop)
}

pub(super) async fn purge(
    pool: &Pool,
    shard: u16,
    published_before_ms: i64,
    limit: usize,
) -> Result<u64, StoreError> {
    let mut values = of(shard);
    values.add(published_before_ms.div_euclid(1000));
    values.add(limit_of(limit));
    let rows = pool.write(include_str!("sql/lane_purge.sql"), values).await?;
    rows.first().map_or(Ok(0), |row| counted(row, 0))
}

pub(super) async fn published_since(
    pool: &Pool,
    shard: u16,
    since_ms: i64,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut values = of(shard);
    values.add(since_ms.div_euclid(1000));
    values.add(after.unwrap_or(0));
    values.add(limit_of(limit));
    let rows = pool.read(include_str!("sql/lane_published_since.sql"), values).await?;
    rows.iter().map(|row| event(shard, row)).collect()
}

pub(super) async fn lag(pool: &Pool, shard: u16) -> Result<LaneLag, StoreError> {
    let rows = pool.read(include_str!("sql/lane_lag.sql"), of(shard)).await?;
    let Some(row) = rows.first() else { return Ok(LaneLag::default()) };
    Ok(LaneLag {
        waiting: counted(row, 0)?,
        oldest_at_ms: get(row, 1)?,
        held: counted(row, 2)?,
        parked_roots: counted(row, 3)?,
    })
}

/// An event from `number, root, saga, sequence, topic, kind, payload, traceparent, at_ms`.
fn event(shard: u16, row: &PgRow) -> Result<OutboxRow, StoreError> {
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
