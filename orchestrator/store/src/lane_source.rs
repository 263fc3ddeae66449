//! A lane as the relay sees it: rows with a key, in commit order.

use std::sync::Arc;

use async_trait::async_trait;
use outbox_relay::{Event, Lag, Row, RowId, Source, SourceError};
use tokio::sync::Notify;

use crate::{OutboxRow, Store, StoreError};

/// `ce_source` of every event that the orchestrator publishes.
pub const EVENT_SOURCE: &str = "/backstitch/orchestrator";

/// The events of one shard, to be moved by one relay.
pub struct LaneSource {
    store: Arc<dyn Store>,
    shard: u16,
    name: String,
}

impl LaneSource {
    /// The lane of `shard`.
    pub fn new(store: Arc<dyn Store>, shard: u16) -> Self {
        Self { store, shard, name: format!("lane-{shard}") }
    }

    /// Every lane of a store.
    pub fn all(store: &Arc<dyn Store>) -> Vec<Self> {
        (0..store.shards()).map(|shard| Self::new(Arc::clone(store), shard)).collect()
    }

    /// Notified after every commit that put events into this lane.
    pub fn wake(&self) -> Arc<Notify> {
        self.store.lane_wake(self.shard)
    }
}

#[async_trait]
impl Source for LaneSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn pending(&self, limit: usize) -> Result<Vec<Row>, SourceError> {
        let rows = self.store.lane_pending(self.shard, limit).await.map_err(trouble)?;
        Ok(rows.into_iter().map(row).collect())
    }

    async fn published(&self, rows: &[RowId], now_ms: i64) -> Result<(), SourceError> {
        let numbers: Vec<i64> = rows.iter().map(|row| row.0).collect();
        self.store.lane_published(self.shard, &numbers, now_ms).await.map_err(trouble)
    }

    async fn park(&self, row: &Row, why: &str, now_ms: i64) -> Result<(), SourceError> {
        self.store.lane_park(self.shard, row.id.0, why, now_ms).await.map_err(trouble)
    }

    async fn purge(&self, published_before_ms: i64, limit: usize) -> Result<u64, SourceError> {
        self.store.lane_purge(self.shard, published_before_ms, limit).await.map_err(trouble)
    }

    async fn published_since(
        &self,
        since_ms: i64,
        after: Option<RowId>,
        limit: usize,
    ) -> Result<Vec<Row>, SourceError> {
        let after = after.map(|row| row.0);
        let rows =
            self.store.lane_published_since(self.shard, since_ms, after, limit).await.map_err(trouble)?;
        Ok(rows.into_iter().map(row).collect())
    }

    async fn lag(&self, now_ms: i64) -> Result<Lag, SourceError> {
        let lag = self.store.lane_lag(self.shard).await.map_err(trouble)?;
        Ok(Lag {
            waiting: lag.waiting,
            held: lag.held.saturating_sub(lag.parked_roots),
            parked: lag.parked_roots,
            oldest_ms: lag.oldest_at_ms.map_or(0, |at_ms| now_ms.saturating_sub(at_ms).max(0)),
        })
    }
}

fn row(row: OutboxRow) -> Row {
    Row {
        id: RowId(row.number),
        event_id: row.event_id(),
        sequence: row.sequence,
        event: Event {
            topic: row.event.topic,
            kind: row.event.kind,
            source: EVENT_SOURCE.to_owned(),
            key: row.root.to_string(),
            subject: row.saga.to_string(),
            payload: row.event.payload.into(),
            traceparent: row.event.traceparent,
            at_ms: row.event.at_ms,
        },
    }
}

fn trouble(error: StoreError) -> SourceError {
    match error {
        StoreError::Unavailable(_) | StoreError::Full(_) | StoreError::Unknown(_) => {
            SourceError::Unavailable(error.to_string())
        }
        StoreError::Invalid(_) | StoreError::Fatal(_) | StoreError::Corrupt { .. } => {
            SourceError::Broken(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Edit as _, MemoryStore, Subject, T0, Trial};

    struct Shared(Arc<MemoryStore>);

    #[async_trait]
    impl Subject for Shared {
        async fn open(&mut self) -> Arc<dyn Store> {
            Arc::clone(&self.0) as Arc<dyn Store>
        }

        async fn poison(&self, saga: uuid::Uuid) {
            self.0.poison(saga);
        }
    }

    #[tokio::test]
    async fn a_lane_is_a_source_of_rows_by_root() {
        let store = Arc::new(MemoryStore::default());
        let mut t = Trial::new(Box::new(Shared(Arc::clone(&store)))).await;
        let (root, saga) = (t.id(), t.id());
        t.accept(&[t.start(root).event("1"), t.start(saga).root(root).event("2").event("3")]).await;
        let lane = LaneSource::new(store, 0);
        assert_eq!(lane.name(), "lane-0");

        let rows = lane.pending(9).await.unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.id.0, row.sequence)).collect::<Vec<_>>(),
            [(1, 1), (2, 1), (3, 2)]
        );
        assert!(rows.iter().all(|row| row.event.key == root.to_string() && row.event.source == EVENT_SOURCE));
        assert_eq!(
            (rows[0].event.subject.clone(), rows[2].event.subject.clone()),
            (root.to_string(), saga.to_string())
        );
        assert_eq!(
            (rows[2].event.payload.as_slice(), rows[2].event_id),
            (b"3".as_slice(), crate::event_id(saga, 2))
        );

        lane.published(&[RowId(1)], T0).await.unwrap();
        lane.park(&rows[1], "too large", T0).await.unwrap();
        assert_eq!(lane.pending(9).await.unwrap(), []);
        let lag = lane.lag(T0 + 5).await.unwrap();
        assert_eq!(lag, Lag { waiting: 0, held: 1, parked: 1, oldest_ms: 0 });
        assert_eq!(lane.published_since(T0, None, 9).await.unwrap().len(), 1);
        assert_eq!(lane.purge(T0 + 5_000, 9).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn lag_is_an_age() {
        let store = Arc::new(MemoryStore::default());
        let mut t = Trial::new(Box::new(Shared(Arc::clone(&store)))).await;
        let saga = t.id();
        t.accept(&[t.start(saga).event("1")]).await;
        let lane = LaneSource::new(store, 0);
        assert_eq!(lane.lag(T0 + 5).await.unwrap(), Lag { waiting: 1, held: 0, parked: 0, oldest_ms: 5 });
        assert_eq!(lane.lag(T0 - 5).await.unwrap().oldest_ms, 0, "a clock that went back");
    }
}
