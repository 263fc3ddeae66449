//! The store in memory: the same laws without a disk, the model that the real stores are compared with, and a
//! place to inject faults.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    Append, Cursor, KEY_LIFE_MS, KeyRow, LaneLag, Lease, ListFilter, OutboxRow, Page, Purge, Purged, SagaRow,
    Status, Store, StoreError, StoredSaga, Verdict,
    door::{self, reason},
    lanes::Bells,
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
}

/// A [`Store`] that forgets with the process. Every operation is one step under one lock.
pub struct MemoryStore {
    state: Mutex<State>,
    held: watch::Sender<bool>,
    bells: Bells,
}

#[derive(Default)]
struct State {
    sagas: BTreeMap<Uuid, Saga>,
    keys: BTreeMap<(String, String), KeyRow>,
    epochs: Vec<i64>,
    last_epoch: i64,
    lanes: Vec<Lane>,
    faults: VecDeque<Fault>,
    poisoned: BTreeSet<Uuid>,
    commits: u64,
}

#[derive(Clone)]
struct Saga {
    row: SagaRow,
    records: Vec<Bytes>,
    events: i64,
}

#[derive(Default)]
struct Lane {
    rows: BTreeMap<i64, OutboxRow>,
    numbers: i64,
    watermark: i64,
    moved_at_s: i64,
    /// Root -> the number of its poisoned event.
    parked: BTreeMap<Uuid, i64>,
    /// Number -> when it was published, Unix seconds.
    published_s: BTreeMap<i64, i64>,
}

impl Lane {
    fn is_held(&self, row: &OutboxRow) -> bool {
        self.parked.get(&row.root).is_some_and(|poisoned| row.number >= *poisoned)
    }
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
            epochs: (1..=i64::from(shards)).collect(),
            last_epoch: i64::from(shards),
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

    /// Commits wait at the door until [`release`](Self::release); reads go on.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Commits go on.
    pub fn release(&self) {
        self.held.send_replace(false);
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

impl State {
    fn lane(&mut self, shard: u16) -> Result<&mut Lane, StoreError> {
        self.lanes
            .get_mut(usize::from(shard))
            .ok_or_else(|| StoreError::Invalid(format!("there is no shard {shard}")))
    }

    fn commit(&mut self, batch: &[Append]) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::Committed; batch.len()];
        for group in door::groups(batch) {
            let shards = u16::try_from(self.epochs.len()).unwrap_or(u16::MAX);
            let failed = match door::check_group(batch, &group, shards) {
                Err(why) => Some((0, Verdict::Refused(why))),
                Ok(()) => self.commit_group(batch, &group.members).err(),
            };
            if let Some((from, verdict)) = failed {
                for &index in &group.members[from..] {
                    verdicts[index] = verdict.clone();
                }
            }
        }
        verdicts
    }

    /// On failure: the verdict, and the place in the group from which it applies (before it, all was there).
    fn commit_group(&mut self, batch: &[Append], members: &[usize]) -> Result<(), (usize, Verdict)> {
        let first = &batch[members[0]];
        if self.epochs[usize::from(first.shard)] != first.epoch {
            return Err((0, Verdict::Fenced));
        }
        let there = members.iter().take_while(|&&index| self.is_there(&batch[index])).count();
        let mut saga = self.sagas.get(&first.saga).cloned();
        let mut key = None;
        let mut events = Vec::new();
        for &index in &members[there..] {
            self.append(&batch[index], &mut saga, &mut key, &mut events)
                .map_err(|verdict| (there, verdict))?;
        }
        let Some(saga) = saga else { return Ok(()) };
        if let Some((name, row)) = key {
            self.keys.insert(name, row);
        }
        let lane = &mut self.lanes[usize::from(first.shard)];
        for mut row in events {
            lane.numbers += 1;
            row.number = lane.numbers;
            lane.rows.insert(row.number, row);
        }
        self.sagas.insert(first.saga, saga);
        Ok(())
    }

    fn is_there(&self, append: &Append) -> bool {
        let (Some(saga), Ok(from)) = (self.sagas.get(&append.saga), usize::try_from(append.first_seq - 1))
        else {
            return false;
        };
        saga.row.shard == append.shard
            && saga.row.root == append.root
            && saga
                .records
                .get(from..from + append.records.len())
                .is_some_and(|there| there == append.records)
    }

    fn append(
        &self,
        append: &Append,
        saga: &mut Option<Saga>,
        key: &mut Option<((String, String), KeyRow)>,
        events: &mut Vec<OutboxRow>,
    ) -> Result<(), Verdict> {
        let refused = |why: &str| Err(Verdict::Refused(door::refusal(append.saga, why)));
        if let Some(start) = &append.start
            && saga.is_none()
        {
            if let Some(name) = start.key.clone().map(|key| (start.scope.clone(), key)) {
                if let Some(taken) = self.keys.get(&name)
                    && taken.saga != Some(append.saga)
                {
                    return Err(Verdict::KeyTaken(*taken));
                }
                let row = KeyRow {
                    saga: Some(append.saga),
                    request_hash: start.request_hash,
                    created_at_ms: start.started_at_ms,
                };
                *key = Some((name, row));
            }
            let row = SagaRow {
                id: append.saga,
                root: append.root,
                shard: append.shard,
                definition: start.definition.clone(),
                version: start.version,
                status: Status::Running,
                started_at_ms: start.started_at_ms,
                updated_at_ms: start.started_at_ms,
            };
            *saga = Some(Saga { row, records: Vec::new(), events: 0 });
        }
        let Some(saga) = saga else { return refused(reason::NOT_STARTED) };
        if saga.row.shard != append.shard || saga.row.root != append.root {
            return refused(reason::ELSEWHERE);
        }
        if usize::try_from(append.first_seq).is_ok_and(|seq| seq <= saga.records.len()) {
            return refused(reason::OTHER_BYTES);
        }
        if usize::try_from(append.first_seq) != Ok(saga.records.len() + 1) {
            return refused(reason::HOLE);
        }
        if saga.row.status.is_final() {
            return refused(reason::FINISHED);
        }
        if self.poisoned.contains(&append.saga) {
            return refused("a constraint is broken");
        }
        saga.records.extend(append.records.iter().cloned());
        if let Some(summary) = append.summary {
            saga.row.status = summary.status;
            saga.row.updated_at_ms = saga.row.updated_at_ms.max(summary.updated_at_ms);
        }
        for event in &append.events {
            saga.events += 1;
            events.push(OutboxRow {
                shard: append.shard,
                number: 0,
                root: append.root,
                saga: append.saga,
                sequence: saga.events,
                event: event.clone(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn acquire(&self, node: &str, _now_ms: i64) -> Result<Vec<Lease>, StoreError> {
        door::check_node(node).map_err(StoreError::Invalid)?;
        let mut state = self.state();
        let mut leases = Vec::with_capacity(state.epochs.len());
        for shard in 0..self.shards_of(&state) {
            state.last_epoch += 1;
            let epoch = state.last_epoch;
            state.epochs[usize::from(shard)] = epoch;
            leases.push(Lease { shard, epoch });
        }
        Ok(leases)
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
            Some(Fault::UnknownWritten) | None => {}
        }
        let verdicts = state.commit(batch);
        state.commits += 1;
        self.bells.ring(batch, &verdicts);
        if fault.is_some() { Err(StoreError::Unknown("injected".to_owned())) } else { Ok(verdicts) }
    }

    async fn load(&self, saga: Uuid) -> Result<Option<StoredSaga>, StoreError> {
        let state = self.state();
        Ok(state
            .sagas
            .get(&saga)
            .map(|saga| StoredSaga { row: saga.row.clone(), records: saga.records.clone() }))
    }

    async fn unfinished(&self, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, StoreError> {
        let state = self.state();
        let sagas = state.sagas.values().filter(|saga| saga.row.status.is_unfinished());
        Ok(sagas
            .map(|saga| saga.row.id)
            .filter(|id| after.is_none_or(|after| *id > after))
            .take(limit)
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
        let state = self.state();
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

    fn shards(&self) -> u16 {
        self.shards_of(&self.state())
    }

    fn lane_wake(&self, shard: u16) -> Arc<Notify> {
        self.bells.of(shard)
    }

    async fn lane_pending(&self, shard: u16, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        let mut state = self.state();
        let lane = state.lane(shard)?;
        let rows = lane.rows.range(lane.watermark + 1..).map(|(_, row)| row);
        Ok(rows.filter(|row| !lane.is_held(row)).take(limit).cloned().collect())
    }

    async fn lane_published(&self, shard: u16, numbers: &[i64], now_ms: i64) -> Result<(), StoreError> {
        let mut state = self.state();
        let lane = state.lane(shard)?;
        let numbers: BTreeSet<i64> = numbers.iter().copied().collect();
        let at_s = now_ms.div_euclid(1000).max(lane.moved_at_s);
        let mut watermark = lane.watermark;
        let highest = numbers.last().copied().unwrap_or(0);
        for (number, row) in
            lane.rows.range(lane.watermark + 1..).take_while(|(number, _)| **number <= highest)
        {
            let held = lane.is_held(row);
            if !held && !numbers.contains(number) {
                break;
            }
            if !held {
                lane.published_s.insert(*number, at_s);
            }
            watermark = *number;
        }
        if watermark > lane.watermark {
            lane.watermark = watermark;
            lane.moved_at_s = at_s;
        }
        Ok(())
    }

    async fn lane_park(&self, shard: u16, number: i64, _why: &str, _now_ms: i64) -> Result<(), StoreError> {
        let mut state = self.state();
        let lane = state.lane(shard)?;
        if number > lane.watermark
            && let Some(row) = lane.rows.get(&number)
        {
            lane.parked.entry(row.root).or_insert(number);
        }
        Ok(())
    }

    async fn lane_purge(
        &self,
        shard: u16,
        published_before_ms: i64,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let mut state = self.state();
        let lane = state.lane(shard)?;
        let before_s = published_before_ms.div_euclid(1000);
        let old = lane.published_s.iter().filter(|(_, at_s)| **at_s < before_s).map(|(number, _)| *number);
        let old: Vec<i64> = old.take(limit).collect();
        for number in &old {
            lane.rows.remove(number);
            lane.published_s.remove(number);
        }
        Ok(count(old.len()))
    }

    async fn lane_published_since(
        &self,
        shard: u16,
        since_ms: i64,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let mut state = self.state();
        let lane = state.lane(shard)?;
        let since_s = since_ms.div_euclid(1000);
        let rows = lane.published_s.iter().filter(|(_, at_s)| **at_s >= since_s);
        let rows = rows.filter(|(number, _)| after.is_none_or(|after| **number > after));
        Ok(rows.filter_map(|(number, _)| lane.rows.get(number)).take(limit).cloned().collect())
    }

    async fn lane_lag(&self, shard: u16) -> Result<LaneLag, StoreError> {
        let mut state = self.state();
        let lane = state.lane(shard)?;
        let waiting =
            || lane.rows.range(lane.watermark + 1..).map(|(_, row)| row).filter(|row| !lane.is_held(row));
        Ok(LaneLag {
            waiting: count(waiting().count()),
            oldest_at_ms: waiting().map(|row| row.event.at_ms).min(),
            held: count(lane.rows.values().filter(|row| lane.is_held(row)).count()),
            parked_roots: count(lane.parked.len()),
        })
    }
}

impl MemoryStore {
    fn shards_of(&self, state: &State) -> u16 {
        u16::try_from(state.epochs.len()).unwrap_or(u16::MAX)
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
