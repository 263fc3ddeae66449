//! The orchestrator's outbox: one lane per shard.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::reader::{Reader, id_bytes};
use crate::AuditError;

/// The events of one shard that are kept.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) shard: i64,
    /// Every event up to here is published or held back.
    pub(crate) watermark: i64,
    /// Roots whose events are held back, from the number of the poisoned one on.
    pub(crate) parked_roots: BTreeMap<Uuid, i64>,
    /// Ascending by number.
    pub(crate) rows: Vec<LaneRow>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct LaneRow {
    pub(crate) number: i64,
    pub(crate) root: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) sequence: i64,
    pub(crate) kind: String,
}

impl Lane {
    /// The first number from which on no event may be missing. The purge goes from the lowest number up and
    /// leaves what is held back, so it ends before the first kept event that is not held.
    pub(crate) fn intact_from(&self) -> i64 {
        let held = |row: &LaneRow| self.parked_roots.get(&row.root).is_some_and(|from| row.number >= *from);
        let first = self.rows.iter().find(|row| !held(row));
        first.map_or(self.watermark.saturating_add(1), |row| row.number)
    }
}

/// Every lane that has events or a watermark.
pub(super) async fn read(reader: &mut Reader) -> Result<Vec<Lane>, AuditError> {
    let mut lanes: BTreeMap<i64, Lane> = BTreeMap::new();
    let watermarks = reader
        .rows("SELECT shard, watermark FROM lanes", |row| {
            Ok((row.try_get("shard")?, row.try_get("watermark")?))
        })
        .await?;
    for (shard, watermark) in watermarks {
        lanes.insert(shard, Lane { shard, watermark, ..Lane::default() });
    }
    let sql = format!("SELECT shard, {}, number FROM parked_roots", reader.ids("root"));
    let parked = reader
        .rows(sql, |row| Ok((row.try_get("shard")?, id_bytes(row, "root")?, row.try_get("number")?)))
        .await?;
    for (shard, root, number) in parked {
        lane(&mut lanes, shard).parked_roots.insert(root, number);
    }
    let ids = format!("{}, {}", reader.ids("root"), reader.ids("saga"));
    let sql = format!("SELECT shard, number, {ids}, sequence, kind FROM outbox ORDER BY shard, number");
    let rows = reader
        .rows(sql, |row| {
            let event = LaneRow {
                number: row.try_get("number")?,
                root: id_bytes(row, "root")?,
                saga: id_bytes(row, "saga")?,
                sequence: row.try_get("sequence")?,
                kind: row.try_get("kind")?,
            };
            Ok((row.try_get::<i64, _>("shard")?, event))
        })
        .await?;
    for (shard, row) in rows {
        lane(&mut lanes, shard).rows.push(row);
    }
    Ok(lanes.into_values().collect())
}

fn lane(lanes: &mut BTreeMap<i64, Lane>, shard: i64) -> &mut Lane {
    lanes.entry(shard).or_insert_with(|| Lane { shard, ..Lane::default() })
}
