//! One node's line to the store that all share: it can be cut or stall while the others go on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_store::testing::MemoryStore;
use backstitch_store::{
    Announced, Announcement, Append, DefinitionRow, InFlight, Judged, Judgement, KeyRow, LaneLag, Lease,
    ListFilter, Member, OutboxRow, Page, Purge, Purged, SagaRow, Store, StoreError, StoredSaga, Switch,
    Switched, Tended, Verdict,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// How a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Every question is answered by "unavailable".
    Cut,
    /// No question is answered.
    Stalled,
}

/// What was committed, in the order in which it was: shard and epoch.
pub(crate) type Ledger = Arc<Mutex<Vec<(u16, i64)>>>;

pub(crate) struct Line {
    store: Arc<MemoryStore>,
    way: watch::Sender<Way>,
    ledger: Ledger,
}

impl Line {
    pub(crate) fn new(store: &Arc<MemoryStore>, ledger: &Ledger) -> Arc<Self> {
        let way = watch::channel(Way::Open).0;
        Arc::new(Self { store: Arc::clone(store), way, ledger: Arc::clone(ledger) })
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    async fn through(&self) -> Result<&MemoryStore, StoreError> {
        let way = *self.way.subscribe().wait_for(|way| *way != Way::Stalled).await.unwrap();
        match way {
            Way::Open => Ok(&self.store),
            _ => Err(StoreError::Unavailable("the line is cut".to_owned())),
        }
    }
}

#[async_trait]
impl Store for Line {
    async fn acquire(&self, node: &str, now_ms: i64) -> Result<Vec<Lease>, StoreError> {
        self.through().await?.acquire(node, now_ms).await
    }

    async fn join(&self, node: &str, address: &str, term: Duration) -> Result<Member, StoreError> {
        self.through().await?.join(node, address, term).await
    }

    async fn tend(&self, member: &Member, held: &[Lease], term: Duration) -> Result<Tended, StoreError> {
        self.through().await?.tend(member, held, term).await
    }

    async fn claim(&self, member: &Member, shards: &[u16], term: Duration) -> Result<Vec<Lease>, StoreError> {
        self.through().await?.claim(member, shards, term).await
    }

    async fn give_back(&self, held: &[Lease]) -> Result<(), StoreError> {
        self.through().await?.give_back(held).await
    }

    async fn leave(&self, member: &Member) -> Result<(), StoreError> {
        self.through().await?.leave(member).await
    }

    async fn commit(&self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        let verdicts = self.through().await?.commit(batch).await?;
        let committed = batch.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::Committed);
        self.ledger.lock().unwrap().extend(committed.map(|(append, _)| (append.shard, append.epoch)));
        Ok(verdicts)
    }

    async fn load(&self, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
        self.through().await?.load(saga).await
    }

    async fn unfinished(
        &self,
        shards: &[u16],
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        self.through().await?.unfinished(shards, after, limit).await
    }

    async fn oldest(&self) -> Result<Option<Uuid>, StoreError> {
        self.through().await?.oldest().await
    }

    async fn family(&self, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
        self.through().await?.family(root).await
    }

    async fn key(&self, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        self.through().await?.key(scope, key).await
    }

    async fn block_key(&self, scope: &str, key: &str, now_ms: i64) -> Result<KeyRow, StoreError> {
        self.through().await?.block_key(scope, key, now_ms).await
    }

    async fn list(&self, filter: &ListFilter) -> Result<Page, StoreError> {
        self.through().await?.list(filter).await
    }

    async fn purge(&self, what: &Purge) -> Result<Purged, StoreError> {
        self.through().await?.purge(what).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<Vec<Announced>, StoreError> {
        self.through().await?.announce(announcement).await
    }

    async fn withdraw(&self, node: &str) -> Result<(), StoreError> {
        self.through().await?.withdraw(node).await
    }

    async fn switch(&self, switch: &Switch) -> Result<Switched, StoreError> {
        self.through().await?.switch(switch).await
    }

    async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        self.through().await?.definitions().await
    }

    async fn in_flight(&self) -> Result<Vec<InFlight>, StoreError> {
        self.through().await?.in_flight().await
    }

    async fn mark_restored(&self, now_ms: i64) -> Result<(), StoreError> {
        self.through().await?.mark_restored(now_ms).await
    }

    async fn judge(&self, word: &Judgement) -> Result<Judged, StoreError> {
        self.through().await?.judge(word).await
    }

    async fn acknowledged(&self, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError> {
        self.through().await?.acknowledged(findings).await
    }

    fn shards(&self) -> u16 {
        self.store.shards()
    }

    fn lane_wake(&self, shard: u16) -> Arc<Notify> {
        self.store.lane_wake(shard)
    }

    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.through().await?.lane_pending(shard, limit).await
    }

    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError> {
        self.through().await?.lane_published(shard, numbers, now_ms).await
    }

    async fn lane_park(&self, shard: u16, number: i64, why: &str, now_ms: i64) -> Result<(), StoreError> {
        self.through().await?.lane_park(shard, number, why, now_ms).await
    }

    async fn lane_purge(&self, shard: u16, before_ms: i64, limit: usize) -> Result<u64, StoreError> {
        self.through().await?.lane_purge(shard, before_ms, limit).await
    }

    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.through().await?.lane_published_since(shard, since_ms, after, limit).await
    }

    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError> {
        self.through().await?.lane_lag(shard).await
    }
}
