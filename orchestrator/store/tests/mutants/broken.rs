//! A store with one guard broken, on top of a store that keeps every law.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use backstitch_store::{
    Announced, Announcement, Append, DefinitionRow, InFlight, Judged, Judgement, KeyRow, LaneLag, Lease,
    ListFilter, Member, OutboxRow, Page, Purge, Purged, SagaRow, Status, Store, StoreError, StoredSaga,
    Switch, Switched, Tended, Verdict,
    testing::{Subject, T0},
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{Fresh, kind::Kind};

/// What a mutant has seen; it outlives a restart.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) leases: Vec<Lease>,
    /// The last row of the last page.
    pub(crate) last_listed: Option<SagaRow>,
    /// The poisoned events that the mutant itself holds back.
    pub(crate) parked: Vec<OutboxRow>,
    /// The status that the mutant tells of a saga instead of its own.
    pub(crate) statuses: BTreeMap<Uuid, Status>,
    /// Every scope and key that an append brought, and when.
    pub(crate) keys: Vec<(String, String, i64)>,
    /// Scopes and keys that the mutant has forgotten.
    pub(crate) forgotten: Vec<(String, String)>,
    /// By node, everything that it ever announced.
    pub(crate) announced: BTreeMap<String, Vec<Announced>>,
}

/// A kind of store whose stores are broken.
pub(crate) struct Suspect {
    sound: Box<dyn Subject>,
    fresh: Fresh,
    kind: Kind,
    notes: Arc<Mutex<Notes>>,
}

impl Suspect {
    pub(crate) fn new(fresh: Fresh, kind: Kind) -> Self {
        Self { sound: fresh(), fresh, kind, notes: Arc::default() }
    }
}

#[async_trait]
impl Subject for Suspect {
    async fn open(&mut self) -> Arc<dyn Store> {
        let reopened = !self.notes.lock().unwrap().leases.is_empty();
        if self.kind == Kind::RestartForgets && reopened {
            self.sound = (self.fresh)();
        }
        if self.kind == Kind::RestartUnparks {
            self.notes.lock().unwrap().parked.clear();
        }
        let sound = self.sound.open().await;
        if self.kind == Kind::RestartFences && reopened {
            sound.acquire("restart", T0).await.unwrap();
        }
        Arc::new(Broken { sound, kind: self.kind, notes: Arc::clone(&self.notes) })
    }

    async fn poison(&self, saga: Uuid) {
        self.sound.poison(saga).await;
    }
}

/// The store.
pub(crate) struct Broken {
    pub(crate) sound: Arc<dyn Store>,
    pub(crate) kind: Kind,
    notes: Arc<Mutex<Notes>>,
}

impl Broken {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    /// The current epoch of a shard; 0, which is never drawn, for one that is not there.
    pub(crate) fn epoch(&self, shard: u16) -> i64 {
        self.notes().leases.get(usize::from(shard)).map_or(0, |lease| lease.epoch)
    }

    /// The scope and key under which the sound store knows them.
    pub(crate) fn name(&self, scope: &str, key: &str) -> (String, String) {
        match self.kind {
            Kind::ScopeForgotten => (String::new(), key.to_owned()),
            Kind::ScopeRunIntoKey => (String::new(), format!("{scope}{key}")),
            Kind::KeyWithoutCase => (scope.to_owned(), key.to_lowercase()),
            _ => (scope.to_owned(), key.to_owned()),
        }
    }

    /// Every saga of one status.
    pub(crate) async fn having(&self, status: Status) -> Result<Vec<SagaRow>, StoreError> {
        let filter = ListFilter { status: Some(status), limit: 10_000, ..ListFilter::default() };
        Ok(self.sound.list(&filter).await?.sagas)
    }
}

#[async_trait]
impl Store for Broken {
    async fn acquire(&self, node: &str, now_ms: i64) -> Result<Vec<Lease>, StoreError> {
        let before = self.notes().leases.clone();
        if self.kind == Kind::EpochDrawnTwice && !before.is_empty() {
            return Ok(before);
        }
        let leases = self.sound.acquire(node, now_ms).await?;
        self.notes().leases.clone_from(&leases);
        Ok(leases)
    }

    async fn join(&self, node: &str, address: &str, term: Duration) -> Result<Member, StoreError> {
        self.sound.join(node, address, self.term(term)).await
    }

    async fn tend(&self, member: &Member, held: &[Lease], term: Duration) -> Result<Tended, StoreError> {
        self.tend_broken(member, held, term).await
    }

    async fn claim(&self, member: &Member, shards: &[u16], term: Duration) -> Result<Vec<Lease>, StoreError> {
        self.claim_broken(member, shards, term).await
    }

    async fn give_back(&self, held: &[Lease]) -> Result<(), StoreError> {
        self.give_back_broken(held).await
    }

    async fn leave(&self, member: &Member) -> Result<(), StoreError> {
        self.leave_broken(member).await
    }

    async fn commit(&self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        self.commit_broken(batch).await
    }

    async fn load(&self, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
        let mut stored = self.sound.load(saga).await?;
        if self.kind == Kind::LoadsAPrefix
            && let Some(stored) = &mut stored
            && stored.records.len() > 1
        {
            stored.records.pop();
        }
        if let Some(stored) = &mut stored {
            stored.restored &= self.kind != Kind::RestoreForgotten;
        }
        if let Some(stored) = &mut stored
            && let Some(status) = self.notes().statuses.get(&saga)
        {
            stored.row.status = *status;
        }
        Ok(stored)
    }

    async fn unfinished(
        &self,
        shards: &[u16],
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        let all: Vec<u16> = (0..self.sound.shards()).collect();
        let shards = if self.kind == Kind::RecoversEveryShard { &all } else { shards };
        let mut sagas = self.sound.unfinished(shards, after, limit).await?;
        match self.kind {
            Kind::WaitingNotRecovered => {
                let waiting = self.having(Status::Waiting).await?;
                sagas.retain(|saga| waiting.iter().all(|row| row.id != *saga));
            }
            Kind::ParkedRecovered => {
                let parked = self.having(Status::Parked).await?.into_iter().map(|row| row.id);
                sagas.extend(parked.filter(|id| after.is_none_or(|after| *id > after)));
                sagas.sort_unstable();
                sagas.truncate(limit);
            }
            _ => {}
        }
        Ok(sagas)
    }

    async fn oldest(&self) -> Result<Option<Uuid>, StoreError> {
        match self.kind {
            Kind::ParkedNotOldest => {
                let all: Vec<u16> = (0..self.sound.shards()).collect();
                let sagas = self.sound.unfinished(&all, None, usize::MAX).await?;
                Ok(sagas.into_iter().find(|id| id.get_version_num() == 7))
            }
            Kind::OldestOfTheFirstShard => {
                let page = self.sound.list(&ListFilter { limit: 10_000, ..ListFilter::default() }).await?;
                let open = page.sagas.iter().filter(|row| row.shard == 0 && !row.status.is_final());
                Ok(open.map(|row| row.id).filter(|id| id.get_version_num() == 7).min())
            }
            _ => self.sound.oldest().await,
        }
    }

    async fn family(&self, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
        let mut sagas = self.sound.family(root).await?;
        match self.kind {
            Kind::ParkedNotOfFamily => sagas.retain(|row| row.status != Status::Parked),
            Kind::FamilyWithItsRoot => sagas.extend(self.sound.load(root).await?.map(|stored| stored.row)),
            _ => {}
        }
        Ok(sagas)
    }

    async fn key(&self, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        let name = self.name(scope, key);
        if self.notes().forgotten.contains(&name) {
            return Ok(None);
        }
        self.sound.key(&name.0, &name.1).await
    }

    async fn block_key(&self, scope: &str, key: &str, now_ms: i64) -> Result<KeyRow, StoreError> {
        let (scope, key) = self.name(scope, key);
        let row = self.sound.block_key(&scope, &key, now_ms).await?;
        let blocked = KeyRow { saga: None, request_hash: [0; 32], created_at_ms: now_ms };
        Ok(if self.kind == Kind::BlocksUsedKeys && row.saga.is_some() { blocked } else { row })
    }

    async fn list(&self, filter: &ListFilter) -> Result<Page, StoreError> {
        // A page of one row stays as it is, so that a walk still comes to its end.
        let breaks = filter.limit > 1;
        if breaks && self.kind == Kind::ListRepeats && filter.after.is_some() {
            let again = self.notes().last_listed.clone();
            let mut page = self.sound.list(&ListFilter { limit: filter.limit - 1, ..filter.clone() }).await?;
            page.sagas.splice(0..0, again);
            self.notes().last_listed = page.sagas.last().cloned();
            return Ok(page);
        }
        let mut filter = filter.clone();
        if self.kind == Kind::FiltersOfTheFirstPage && filter.after.is_some() {
            filter =
                ListFilter { definition: None, started_from_ms: None, started_before_ms: None, ..filter };
        }
        let mut page = self.sound.list(&filter).await?;
        self.notes().last_listed = page.sagas.last().cloned();
        if breaks && self.kind == Kind::ListSkips && page.next.is_some() {
            page.sagas.pop();
        }
        if self.kind == Kind::ListsTheFirstShard {
            page.sagas.retain(|row| row.shard == 0);
        }
        Ok(page)
    }

    async fn purge(&self, what: &Purge) -> Result<Purged, StoreError> {
        self.purge_broken(*what).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<Vec<Announced>, StoreError> {
        self.announce_broken(announcement).await
    }

    async fn withdraw(&self, node: &str) -> Result<(), StoreError> {
        if self.kind == Kind::WithdrawnNodesCount { Ok(()) } else { self.sound.withdraw(node).await }
    }

    async fn switch(&self, switch: &Switch) -> Result<Switched, StoreError> {
        self.switch_broken(switch).await
    }

    async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        self.sound.definitions().await
    }

    async fn judge(&self, word: &Judgement) -> Result<Judged, StoreError> {
        match self.kind {
            Kind::JudgesAnew if word.is_acknowledged => {
                self.sound.judge(&Judgement { is_acknowledged: false, ..word.clone() }).await?;
            }
            // By a word about nothing, of a moment later.
            Kind::ForgetsJudgementsEarly => {
                let later = Judgement { finding: Uuid::nil(), is_acknowledged: false, ..word.clone() };
                self.sound.judge(&Judgement { at_ms: word.at_ms + 1, ..later }).await?;
            }
            Kind::TakesNothingBack if !word.is_acknowledged => return Ok(Judged::Written),
            _ => {}
        }
        self.sound.judge(word).await
    }

    async fn acknowledged(&self, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError> {
        self.sound.acknowledged(findings).await
    }

    async fn in_flight(&self) -> Result<Vec<InFlight>, StoreError> {
        let mut counts = self.sound.in_flight().await?;
        if self.kind == Kind::ParkedNotInFlight {
            for row in self.having(Status::Parked).await? {
                let of_row = |count: &&mut InFlight| {
                    (&count.name, count.version, count.shard) == (&row.definition, row.version, row.shard)
                };
                counts.iter_mut().find(of_row).unwrap().sagas -= 1;
            }
            counts.retain(|count| count.sagas > 0);
        }
        Ok(counts)
    }

    async fn mark_restored(&self, now_ms: i64) -> Result<(), StoreError> {
        self.sound.mark_restored(now_ms).await
    }

    fn shards(&self) -> u16 {
        self.sound.shards()
    }

    fn lane_wake(&self, shard: u16) -> Arc<Notify> {
        if self.kind == Kind::BellSilent { Arc::default() } else { self.sound.lane_wake(shard) }
    }

    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.pending_broken(shard, limit).await
    }

    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError> {
        let highest = numbers.iter().copied().max().unwrap_or(0);
        if self.kind == Kind::MarkPastAGap {
            let last = self.sound.lane_pending(shard, usize::MAX).await?.last().map_or(0, |row| row.number);
            let all: Vec<i64> = (1..=highest.min(last)).collect();
            return self.sound.lane_published(shard, &all, now_ms).await;
        }
        if self.kind == Kind::EveryLanePublished {
            for other in (0..self.sound.shards()).filter(|other| *other != shard) {
                self.sound.lane_published(other, numbers, now_ms).await?;
            }
        }
        self.sound.lane_published(shard, numbers, now_ms).await
    }

    async fn lane_park(&self, shard: u16, number: i64, why: &str, now_ms: i64) -> Result<(), StoreError> {
        self.park_broken(shard, number, why, now_ms).await
    }

    async fn lane_purge(
        &self,
        shard: u16,
        published_before_ms: i64,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let early = self.kind == Kind::LanePurgedEarly;
        let before_ms = if early { published_before_ms.saturating_add(60_000) } else { published_before_ms };
        self.sound.lane_purge(shard, before_ms, limit).await
    }

    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.sound.lane_published_since(shard, since_ms, after, limit).await
    }

    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError> {
        self.sound.lane_lag(shard).await
    }
}
