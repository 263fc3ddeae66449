//! The store in memory: the same laws without a disk, the model that the real stores are compared with, and a
//! place to inject faults.

mod definitions;
mod lane;
mod leases;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use self::{lane::Lane, leases::Leases, state::State};
use crate::{
    Announced, Announcement, Append, Cursor, DefinitionRow, InFlight, JUDGEMENT_LIFE_MS, Judged, Judgement,
    KEY_LIFE_MS, KeyRow, LaneLag, Lease, ListFilter, Member, OutboxRow, Page, Purge, Purged, SagaRow, Store,
    StoreError, StoredSaga, Switch, Switched, Tended, Verdict, door, lanes::Bells,
};

/// What happens to a coming commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written; the caller is told so.
    Unavailable,
    /// The disk is full: nothing is written; the caller is told so.
    Full,
    /// Nothing is written; the caller cannot know.
    UnknownLost,
    /// The batch is written; the caller cannot know.
    UnknownWritten,
    /// The store is beyond use.
    Fatal,
    /// A bug in the store.
    Panic,
}

/// A [`Store`] that forgets with the process. Every operation is one step under one lock.
pub struct MemoryStore {
    state: Mutex<State>,
    held: watch::Sender<bool>,
    bells: Bells,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(4)
    }
}

impl MemoryStore {
    /// An empty store with so many shards.
    pub fn new(shards: u16) -> Self {
        let state = State {
            leases: Leases::new(shards),
            lanes: (0..shards).map(|_| Lane::default()).collect(),
            ..State::default()
        };
        Self { state: Mutex::new(state), held: watch::channel(false).0, bells: Bells::new(shards) }
    }

    /// The next commit that is not spoken for meets this fault. Call it again for the one after.
    pub fn fail_next(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// From now on an append of this saga breaks a constraint, as a bug in a caller would.
    pub fn poison(&self, saga: Uuid) {
        self.state().poisoned.insert(saga);
    }

    /// After `good` reads of a saga, of a list of them or of the oldest, one fails as if the store were away.
    pub fn fail_read_after(&self, good: usize) {
        self.state().good_reads = Some(good);
    }

    /// Commits wait at the door until [`release`](Self::release); reads go on.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Commits go on.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// From now on leases and members are out of reach, as if the store were away, until it is told otherwise.
    pub fn cut(&self, away: bool) {
        self.state().cut = away;
    }

    /// How many batches were committed so far.
    pub fn commits(&self) -> u64 {
        self.state().commits
    }

    /// A poisoned lock means that a test has failed while holding it; what it guards is replaced only whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn acquire(&self, node: &str, _now_ms: i64) -> Result<Vec<Lease>, StoreError> {
        door::check_node(node).map_err(StoreError::Invalid)?;
        Ok(self.state().leases.acquire(node))
    }

    async fn join(&self, node: &str, address: &str, term: Duration) -> Result<Member, StoreError> {
        door::check_member(node, address, term).map_err(StoreError::Invalid)?;
        let mut state = self.state();
        state.reach()?;
        Ok(state.leases.join(node, address, term))
    }

    async fn tend(&self, member: &Member, held: &[Lease], term: Duration) -> Result<Tended, StoreError> {
        door::check_member(&member.node, &member.address, term).map_err(StoreError::Invalid)?;
        let mut state = self.state();
        state.reach()?;
        Ok(state.leases.tend(member, held, term))
    }

    async fn claim(&self, member: &Member, shards: &[u16], term: Duration) -> Result<Vec<Lease>, StoreError> {
        let (shards, _) =
            door::check_claim(member, shards, term, self.shards()).map_err(StoreError::Invalid)?;
        let mut state = self.state();
        state.reach()?;
        Ok(state.leases.claim(member, &shards, term))
    }

    async fn give_back(&self, held: &[Lease]) -> Result<(), StoreError> {
        let mut state = self.state();
        state.reach()?;
        state.leases.give_back(held);
        Ok(())
    }

    async fn leave(&self, member: &Member) -> Result<(), StoreError> {
        let mut state = self.state();
        state.reach()?;
        state.leases.leave(member);
        Ok(())
    }

    async fn commit(&self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        // The sender lives in self, so the wait cannot fail.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        let mut state = self.state();
        let fault = state.faults.pop_front();
        match fault {
            Some(Fault::Unavailable) => return Err(StoreError::Unavailable("injected".to_owned())),
            Some(Fault::Full) => return Err(StoreError::Full("injected".to_owned())),
            Some(Fault::UnknownLost) => return Err(StoreError::Unknown("injected".to_owned())),
            Some(Fault::Fatal) => return Err(StoreError::Fatal("injected".to_owned())),
            Some(Fault::Panic) => panic!("injected"),
            Some(Fault::UnknownWritten) | None => {}
        }
        let verdicts = state.commit(batch);
        state.commits += 1;
        self.bells.ring(batch, &verdicts);
        if fault.is_some() { Err(StoreError::Unknown("injected".to_owned())) } else { Ok(verdicts) }
    }

    async fn load(&self, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
        let mut state = self.state();
        state.read()?;
        Ok(state.sagas.get(&saga).map(|saga| StoredSaga {
            row: saga.row.clone(),
            records: saga.records.clone(),
            restored: Some(saga.row.started_at_ms) < state.restored_ms,
        }))
    }

    async fn unfinished(
        &self,
        shards: &[u16],
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        let state = self.state();
        let sagas = state.sagas.values().filter(|saga| saga.row.status.is_unfinished());
        Ok(sagas
            .filter(|saga| shards.contains(&saga.row.shard))
            .map(|saga| saga.row.id)
            .filter(|id| after.is_none_or(|after| *id > after))
            .take(limit)
            .collect())
    }

    async fn oldest(&self) -> Result<Option<Uuid>, StoreError> {
        let mut state = self.state();
        state.read()?;
        let open = state.sagas.values().filter(|saga| !saga.row.status.is_final());
        Ok(open.map(|saga| saga.row.id).filter(|id| id.get_version_num() == 7).min())
    }

    async fn family(&self, root: Uuid) -> Result<Vec<SagaRow>, StoreError> {
        let state = self.state();
        let sagas = state.sagas.values().map(|saga| &saga.row);
        Ok(sagas
            .filter(|row| row.root == root && row.id != root && !row.status.is_final())
            .cloned()
            .collect())
    }

    async fn key(&self, scope: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        Ok(self.state().keys.get(&(scope.to_owned(), key.to_owned())).copied())
    }

    async fn block_key(&self, scope: &str, key: &str, now_ms: i64) -> Result<KeyRow, StoreError> {
        door::check_key(scope, key).map_err(StoreError::Invalid)?;
        let blocked = KeyRow { saga: None, request_hash: [0; 32], created_at_ms: now_ms };
        Ok(*self.state().keys.entry((scope.to_owned(), key.to_owned())).or_insert(blocked))
    }

    async fn list(&self, filter: &ListFilter) -> Result<Page, StoreError> {
        let mut state = self.state();
        state.read()?;
        let mut rows: Vec<&SagaRow> = state
            .sagas
            .values()
            .map(|saga| &saga.row)
            .filter(|row| filter.status.is_none_or(|status| row.status == status))
            .filter(|row| filter.definition.as_ref().is_none_or(|name| row.definition == *name))
            .filter(|row| filter.started_from_ms.is_none_or(|from| row.started_at_ms >= from))
            .filter(|row| filter.started_before_ms.is_none_or(|before| row.started_at_ms < before))
            .filter(|row| {
                filter.after.is_none_or(|at| (row.started_at_ms, row.id) < (at.started_at_ms, at.id))
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.started_at_ms, row.id)));
        let more = rows.len() > filter.limit;
        rows.truncate(filter.limit);
        let next = rows.last().filter(|_| more);
        Ok(Page {
            next: next.map(|row| Cursor { started_at_ms: row.started_at_ms, id: row.id }),
            sagas: rows.into_iter().cloned().collect(),
        })
    }

    async fn purge(&self, what: &Purge) -> Result<Purged, StoreError> {
        let mut state = self.state();
        let before = what.now_ms.saturating_sub(what.sagas_after_ms);
        let mut old: Vec<(i64, Uuid)> = state
            .sagas
            .values()
            .filter(|saga| saga.row.status.is_final() && saga.row.updated_at_ms <= before)
            .map(|saga| (saga.row.started_at_ms, saga.row.id))
            .collect();
        old.sort_unstable();
        old.truncate(what.limit);
        for (_, saga) in &old {
            state.sagas.remove(saga);
        }
        let before = what.now_ms.saturating_sub(what.keys_after_ms.max(KEY_LIFE_MS).max(what.sagas_after_ms));
        let mut keys: Vec<(i64, (String, String))> = state
            .keys
            .iter()
            .filter(|(_, row)| row.created_at_ms <= before)
            .filter(|(_, row)| row.saga.is_none_or(|saga| !state.sagas.contains_key(&saga)))
            .map(|(name, row)| (row.created_at_ms, name.clone()))
            .collect();
        keys.sort_unstable();
        keys.truncate(what.limit);
        for (_, name) in &keys {
            state.keys.remove(name);
        }
        Ok(Purged { sagas: count(old.len()), keys: count(keys.len()) })
    }

    async fn announce(&self, announcement: &Announcement) -> Result<Vec<Announced>, StoreError> {
        door::check_announcement(announcement).map_err(StoreError::Invalid)?;
        Ok(self.state().definitions.announce(announcement))
    }

    async fn withdraw(&self, node: &str) -> Result<(), StoreError> {
        self.state().definitions.withdraw(node);
        Ok(())
    }

    async fn switch(&self, switch: &Switch) -> Result<Switched, StoreError> {
        door::check_switch(switch).map_err(StoreError::Invalid)?;
        Ok(self.state().definitions.switch(switch))
    }

    async fn definitions(&self) -> Result<Vec<DefinitionRow>, StoreError> {
        Ok(self.state().definitions.all())
    }

    async fn in_flight(&self) -> Result<Vec<InFlight>, StoreError> {
        let state = self.state();
        let mut counts = BTreeMap::<(String, u32, u16), u64>::new();
        for row in state.sagas.values().map(|saga| &saga.row).filter(|row| !row.status.is_final()) {
            *counts.entry((row.definition.clone(), row.version, row.shard)).or_default() += 1;
        }
        let count = |((name, version, shard), sagas)| InFlight { name, version, shard, sagas };
        Ok(counts.into_iter().map(count).collect())
    }

    async fn mark_restored(&self, now_ms: i64) -> Result<(), StoreError> {
        let mut state = self.state();
        let last = state.sagas.values().map(|saga| saga.row.started_at_ms + 1).max();
        let at_ms = now_ms.max(0).max(last.unwrap_or(0));
        state.restored_ms = state.restored_ms.max(Some(at_ms));
        Ok(())
    }

    async fn judge(&self, word: &Judgement) -> Result<Judged, StoreError> {
        door::check_judgement(word).map_err(StoreError::Invalid)?;
        let judgements = &mut self.state().judgements;
        let old_ms = word.at_ms.saturating_sub(JUDGEMENT_LIFE_MS);
        let kept = judgements.iter().filter(|kept| kept.at_ms > old_ms);
        let kept: BTreeSet<Uuid> = kept.map(|kept| kept.finding).collect();
        judgements.retain(|judgement| kept.contains(&judgement.finding));
        let last = judgements.iter().rfind(|last| last.finding == word.finding);
        let acknowledged = last.filter(|last| last.is_acknowledged).cloned();
        match acknowledged {
            Some(last) if word.is_acknowledged => return Ok(Judged::Already(last)),
            None if !word.is_acknowledged => return Ok(Judged::NotAcknowledged),
            _ => judgements.push(word.clone()),
        }
        Ok(Judged::Written)
    }

    async fn acknowledged(&self, findings: &[Uuid]) -> Result<Vec<Judgement>, StoreError> {
        let judgements = &self.state().judgements;
        let last = |finding: &Uuid| judgements.iter().rfind(|last| last.finding == *finding);
        let all = findings.iter().filter_map(last).filter(|last| last.is_acknowledged);
        Ok(all.cloned().collect())
    }

    fn shards(&self) -> u16 {
        self.state().leases.shards()
    }

    fn lane_wake(&self, shard: u16) -> Arc<Notify> {
        self.bells.of(shard)
    }

    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.state().lane(shard)?.pending(limit))
    }

    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError> {
        self.state().lane(shard)?.published(numbers, now_ms);
        Ok(())
    }

    async fn lane_park(&self, shard: u16, number: i64, _why: &str, _now_ms: i64) -> Result<(), StoreError> {
        self.state().lane(shard)?.park(number);
        Ok(())
    }

    async fn lane_purge(
        &self,
        shard: u16,
        published_before_ms: i64,
        limit: usize,
    ) -> Result<u64, StoreError> {
        Ok(self.state().lane(shard)?.purge(published_before_ms, limit))
    }

    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        Ok(self.state().lane(shard)?.published_since(since_ms, after, limit))
    }

    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError> {
        Ok(self.state().lane(shard)?.lag())
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
