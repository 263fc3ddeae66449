//! One history into several stores: the first is the model, and every other one answers as it does.

use std::{collections::BTreeSet, sync::Arc};

use backstitch_store::{
    Append, Judgement, Lease, ListFilter, NewEvent, NewSaga, Purge, Status, Store, StoreError, Summary,
    Verdict,
    testing::{DAY, Subject, T0},
};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use crate::ops::{Draft, Op, SHARDS, World};

fn saga(nth: u32) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(nth))
}

fn key(nth: u32) -> String {
    format!("key-{nth}")
}

/// How often which verdict was answered.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) committed: u64,
    pub(crate) taken: u64,
    pub(crate) fenced: u64,
    pub(crate) refused: u64,
    pub(crate) batches: u64,
}

impl Tally {
    pub(crate) fn appends(&self) -> u64 {
        self.committed + self.taken + self.fenced + self.refused
    }
}

/// The stores, and what the test remembers beside them.
pub(crate) struct History {
    world: World,
    subjects: Vec<Box<dyn Subject>>,
    stores: Vec<Arc<dyn Store>>,
    /// The first saga and key that are not left behind.
    base: u32,
    now_ms: i64,
    leases: Vec<Lease>,
    lost: Vec<Lease>,
    last: Vec<Append>,
    poisoned: BTreeSet<Uuid>,
    pub(crate) tally: Tally,
}

/// The model's answer, which the others must have given too.
fn same<T: PartialEq + std::fmt::Debug>(
    answers: Vec<Result<T, StoreError>>,
    what: &str,
) -> Result<T, TestCaseError> {
    let mut answers = answers.into_iter();
    let model = answers.next().unwrap();
    for (nth, answer) in (1..).zip(answers) {
        prop_assert_eq!(&model, &answer, "store {} on {}", nth, what);
    }
    model.map_err(|error| TestCaseError::fail(format!("{what}: {error}")))
}

/// Asks every store the same, and answers what they agree on.
macro_rules! all {
    ($history:ident, $what:expr, |$store:ident| $ask:expr) => {{
        let mut answers = Vec::new();
        for $store in &$history.stores {
            answers.push($ask.await);
        }
        same(answers, $what)?
    }};
}

impl History {
    pub(crate) async fn begin(
        world: World,
        mut subjects: Vec<Box<dyn Subject>>,
    ) -> Result<Self, TestCaseError> {
        let mut stores = Vec::new();
        for subject in &mut subjects {
            stores.push(subject.open().await);
        }
        let mut history = Self {
            world,
            subjects,
            stores,
            base: 0,
            now_ms: T0,
            leases: Vec::new(),
            lost: Vec::new(),
            last: Vec::new(),
            poisoned: BTreeSet::new(),
            tally: Tally::default(),
        };
        history.leases = all!(history, "acquire", |store| store.acquire("node", T0));
        Ok(history)
    }

    fn model(&self) -> &dyn Store {
        self.stores[0].as_ref()
    }

    async fn append(&self, draft: &Draft, ahead: &mut [u32]) -> Append {
        let id = saga(self.base + draft.saga);
        let place = usize::try_from(draft.saga).unwrap();
        let there = self.model().load(id).await.unwrap().map_or(0, |saga| saga.records.len());
        let next = u32::try_from(there).unwrap() + ahead[place] + 1;
        let starts = draft.start || next == 1;
        let first_seq =
            if starts { 1 } else { u32::try_from((i64::from(next) + draft.offset).max(2)).unwrap() };
        ahead[place] += u32::from(draft.records);
        let home = u16::try_from((self.base + draft.saga) % u32::from(SHARDS)).unwrap();
        let shard = (home + u16::from(draft.other_shard)) % SHARDS;
        let leases = if draft.old_lease && !self.lost.is_empty() { &self.lost } else { &self.leases };
        Append {
            saga: id,
            root: if draft.other_root { saga(0) } else { id },
            shard,
            epoch: leases[usize::from(shard)].epoch,
            start: starts.then(|| NewSaga {
                scope: "scope".to_owned(),
                key: draft.key.map(|nth| key(self.base + nth)),
                request_hash: [draft.variant; 32],
                definition: if draft.saga.is_multiple_of(2) { "checkout" } else { "return" }.to_owned(),
                version: u32::from(draft.variant),
                started_at_ms: self.now_ms + draft.started,
            }),
            first_seq,
            records: (0..u32::from(draft.records))
                .map(|nth| Bytes::from(format!("{id} {} {}", first_seq + nth, draft.variant)))
                .collect(),
            summary: draft
                .status
                .map(|nth| Summary { status: Status::ALL[nth], updated_at_ms: self.now_ms - draft.started }),
            events: (0..draft.events)
                .map(|nth| NewEvent {
                    kind: "kind".to_owned(),
                    topic: "topic".to_owned(),
                    payload: Bytes::from(vec![nth; 3]),
                    traceparent: String::new(),
                    at_ms: self.now_ms,
                })
                .collect(),
        }
    }

    /// Does it to all, and compares the answers.
    pub(crate) async fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        let now_ms = self.now_ms;
        match op {
            Op::Commit(drafts) => {
                let mut ahead = vec![0; usize::try_from(self.world.sagas).unwrap()];
                let mut batch = Vec::with_capacity(drafts.len());
                for draft in drafts {
                    batch.push(self.append(draft, &mut ahead).await);
                }
                self.last = batch;
                self.base += self.world.drift;
                self.commit().await?;
            }
            Op::Repeat => self.commit().await?,
            Op::Acquire => {
                let leases = all!(self, "acquire", |store| store.acquire("node", now_ms));
                self.lost = std::mem::replace(&mut self.leases, leases);
            }
            Op::BlockKey(nth) => {
                let name = key(self.base + nth);
                all!(self, "block_key", |store| store.block_key("scope", &name, now_ms));
            }
            Op::Purge { days, limit } => {
                let what = Purge { now_ms, sagas_after_ms: days * DAY, keys_after_ms: 0, limit: *limit };
                all!(self, "purge", |store| store.purge(&what));
            }
            Op::Publish { shard, count, skip } => {
                let rows = self.model().lane_pending(*shard, *count).await.unwrap();
                let kept = rows.iter().enumerate().filter(|(nth, _)| nth != skip);
                let numbers: Vec<i64> = kept.map(|(_, row)| row.number).collect();
                all!(self, "lane_published", |store| store.lane_published(*shard, &numbers, now_ms));
            }
            Op::Park { shard, nth } => {
                let rows = self.model().lane_pending(*shard, 9).await.unwrap();
                let number = rows.get(*nth).map_or(1, |row| row.number);
                all!(self, "lane_park", |store| store.lane_park(*shard, number, "why", now_ms));
            }
            Op::PurgeLane { shard, limit } => {
                all!(self, "lane_purge", |store| store.lane_purge(*shard, now_ms - DAY, *limit));
            }
            Op::Pages { limit, status, from } => {
                let mut filter = ListFilter {
                    status: status.map(|nth| Status::ALL[nth]),
                    definition: Some("checkout".to_owned()),
                    started_from_ms: Some(T0 + from * DAY),
                    started_before_ms: Some(now_ms),
                    after: None,
                    limit: *limit,
                };
                loop {
                    filter.after = all!(self, "list", |store| store.list(&filter)).next;
                    if filter.after.is_none() {
                        break;
                    }
                }
            }
            Op::Judge { finding, is_acknowledged, behind } => {
                let word = Judgement {
                    finding: saga(*finding),
                    is_acknowledged: *is_acknowledged,
                    what: "what".to_owned(),
                    who: "who".to_owned(),
                    why: format!("why at {now_ms}"),
                    at_ms: now_ms - behind,
                };
                all!(self, "judge", |store| store.judge(&word));
            }
            Op::Poison(nth) => {
                let id = saga(self.base + nth);
                if self.poisoned.len() < self.world.poisoned && self.poisoned.insert(id) {
                    for subject in &self.subjects {
                        subject.poison(id).await;
                    }
                }
            }
            Op::Reopen => {
                // The store in memory has nothing else to keep.
                self.stores.truncate(1);
                for subject in &mut self.subjects[1..] {
                    self.stores.push(subject.open().await);
                }
            }
            Op::Wait(ms) => self.now_ms += ms,
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), TestCaseError> {
        let mut answers = Vec::new();
        for store in &self.stores {
            let verdicts = store.commit(&self.last).await;
            let verdicts = verdicts.map_err(|error| TestCaseError::fail(format!("commit: {error}")))?;
            answers.push(
                self.last
                    .iter()
                    .zip(verdicts)
                    .map(|(append, verdict)| match verdict {
                        // The database words a broken constraint in its own way.
                        Verdict::Refused(_) if self.poisoned.contains(&append.saga) => {
                            Verdict::Refused(String::new())
                        }
                        verdict => verdict,
                    })
                    .collect::<Vec<_>>(),
            );
        }
        for (nth, answer) in answers.iter().enumerate().skip(1) {
            for ((append, model), verdict) in self.last.iter().zip(&answers[0]).zip(answer) {
                prop_assert_eq!(model, verdict, "store {} on {:?}", nth, append);
            }
        }
        self.tally.batches += 1;
        for verdict in &answers[0] {
            *match verdict {
                Verdict::Committed => &mut self.tally.committed,
                Verdict::KeyTaken(_) => &mut self.tally.taken,
                Verdict::Fenced => &mut self.tally.fenced,
                Verdict::Refused(_) => &mut self.tally.refused,
            } += 1;
        }
        Ok(())
    }

    /// Everything that can be read.
    pub(crate) async fn compare(&self) -> Result<(), TestCaseError> {
        let shards: Vec<u16> = (0..SHARDS).collect();
        let mut filter = ListFilter { limit: 1000, ..ListFilter::default() };
        loop {
            filter.after = all!(self, "list", |store| store.list(&filter)).next;
            if filter.after.is_none() {
                break;
            }
        }
        all!(self, "unfinished", |store| store.unfinished(&shards, None, 1_000_000));
        all!(self, "oldest", |store| store.oldest());
        all!(self, "in_flight", |store| store.in_flight());
        for nth in 0..self.base + self.world.sagas {
            all!(self, "load", |store| store.load(saga(nth)));
        }
        for nth in 0..4 {
            all!(self, "acknowledged", |store| store.acknowledged(&[saga(nth)]));
        }
        for nth in 0..self.base + self.world.keys {
            let name = key(nth);
            all!(self, "key", |store| store.key("scope", &name));
        }
        for shard in shards {
            all!(self, "lane_pending", |store| store.lane_pending(shard, 1_000_000));
            all!(self, "lane_lag", |store| store.lane_lag(shard));
            for since in [0, T0 + DAY, T0 + 5 * DAY] {
                all!(self, "lane_published_since", |store| store
                    .lane_published_since(shard, since, None, 1_000_000));
            }
        }
        Ok(())
    }
}
