//! One random history into the store in memory and into SQLite: equal answers to every call and equal dumps.
//!
//! `PROPTEST_CASES=10000 cargo test -p backstitch-store --test differential` for a long run; a failure prints the
//! shortest history that shows it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use backstitch_store::{
    Append, Lease, ListFilter, NewEvent, NewSaga, Purge, Status, Store, Summary, Verdict,
    testing::{DAY, Subject, T0},
};
use bytes::Bytes;
use common::{Memory, Sqlite};
use proptest::prelude::*;
use uuid::Uuid;

const SAGAS: u128 = 6;
const KEYS: u8 = 4;
const SHARDS: u16 = 4;

/// One append, told relative to what is there when it is made.
#[derive(Debug, Clone)]
struct Draft {
    saga: u128,
    start: bool,
    key: Option<u8>,
    /// How far from the next record number.
    offset: i64,
    records: u8,
    /// Which bytes: a repeat with another variant differs.
    variant: u8,
    status: Option<usize>,
    events: u8,
    old_lease: bool,
    other_shard: bool,
    other_root: bool,
    started: i64,
}

#[derive(Debug, Clone)]
enum Op {
    Commit(Vec<Draft>),
    /// The last committed batch again, as after an unknown commit.
    Repeat,
    Acquire,
    BlockKey(u8),
    Purge {
        days: i64,
        limit: usize,
    },
    Publish {
        shard: u16,
        count: usize,
        skip: usize,
    },
    Park {
        shard: u16,
        nth: usize,
    },
    PurgeLane {
        shard: u16,
        limit: usize,
    },
    Pages {
        limit: usize,
        status: Option<usize>,
        from: i64,
    },
    Poison(u128),
    Reopen,
    Wait(i64),
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.08)
}

fn drafts() -> impl Strategy<Value = Draft> {
    let place = (0..SAGAS, prop::bool::weighted(0.3), prop::option::weighted(0.5, 0..KEYS));
    let offset = prop_oneof![8 => Just(0_i64), 1 => -3_i64..0, 1 => 1_i64..3];
    let content =
        (offset, 1_u8..4, prop::bool::weighted(0.1), prop::option::weighted(0.3, 0..6_usize), 0_u8..3);
    let wrong = (rarely(), rarely(), rarely(), 0_i64..4);
    (place, content, wrong).prop_map(
        |(
            (saga, start, key),
            (offset, records, variant, status, events),
            (old_lease, other_shard, other_root, started),
        )| {
            let variant = u8::from(variant);
            let (offset, start) = (if start { 0 } else { offset }, start);
            Draft {
                saga,
                start,
                key,
                offset,
                records,
                variant,
                status,
                events,
                old_lease,
                other_shard,
                other_root,
                started,
            }
        },
    )
}

fn ops() -> impl Strategy<Value = Op> {
    let shards = 0..SHARDS;
    prop_oneof![
        10 => prop::collection::vec(drafts(), 1..7).prop_map(Op::Commit),
        2 => Just(Op::Repeat),
        1 => Just(Op::Acquire),
        1 => (0..KEYS).prop_map(Op::BlockKey),
        2 => (0_i64..9, 0_usize..4).prop_map(|(days, limit)| Op::Purge { days, limit }),
        3 => (shards.clone(), 0_usize..5, 0_usize..9)
            .prop_map(|(shard, count, skip)| Op::Publish { shard, count, skip }),
        1 => (shards.clone(), 0_usize..4).prop_map(|(shard, nth)| Op::Park { shard, nth }),
        1 => (shards, 0_usize..4).prop_map(|(shard, limit)| Op::PurgeLane { shard, limit }),
        1 => (1_usize..4, prop::option::of(0..6_usize), 0_i64..4)
            .prop_map(|(limit, status, from)| Op::Pages { limit, status, from }),
        1 => (0..SAGAS).prop_map(Op::Poison),
        1 => Just(Op::Reopen),
        2 => (0_i64..4 * DAY).prop_map(Op::Wait),
    ]
}

fn saga(nth: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | nth)
}

fn key(nth: u8) -> String {
    format!("key-{nth}")
}

/// What the test remembers beside the stores.
struct History {
    now_ms: i64,
    leases: Vec<Lease>,
    lost: Vec<Lease>,
    last: Vec<Append>,
    poisoned: BTreeSet<Uuid>,
}

impl History {
    async fn append(&self, store: &dyn Store, draft: &Draft, ahead: &mut [u32]) -> Append {
        let id = saga(draft.saga);
        let place = usize::try_from(draft.saga).unwrap();
        let there = store.load(id).await.unwrap().map_or(0, |saga| saga.records.len());
        let next = u32::try_from(there).unwrap() + ahead[place] + 1;
        let starts = draft.start || next == 1;
        let first_seq =
            if starts { 1 } else { u32::try_from((i64::from(next) + draft.offset).max(2)).unwrap() };
        ahead[place] += u32::from(draft.records);
        let shard = (u16::try_from(draft.saga).unwrap() + u16::from(draft.other_shard)) % SHARDS;
        let leases = if draft.old_lease && !self.lost.is_empty() { &self.lost } else { &self.leases };
        Append {
            saga: id,
            root: if draft.other_root { saga(0) } else { id },
            shard,
            epoch: leases[usize::from(shard)].epoch,
            start: starts.then(|| NewSaga {
                scope: "scope".to_owned(),
                key: draft.key.map(key),
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

    /// Does it to both, and compares the answers.
    async fn apply(&mut self, op: &Op, memory: &dyn Store, sqlite: &dyn Store) -> Result<(), TestCaseError> {
        match op {
            Op::Commit(drafts) => {
                let mut ahead = vec![0; usize::try_from(SAGAS).unwrap()];
                self.last.clear();
                for draft in drafts {
                    let append = self.append(memory, draft, &mut ahead).await;
                    self.last.push(append);
                }
                self.commit(memory, sqlite).await?;
            }
            Op::Repeat => self.commit(memory, sqlite).await?,
            Op::Acquire => {
                let leases = memory.acquire("node", self.now_ms).await;
                prop_assert_eq!(&leases, &sqlite.acquire("node", self.now_ms).await);
                self.lost = std::mem::replace(&mut self.leases, leases.unwrap());
            }
            Op::BlockKey(nth) => {
                let (a, b) = (
                    memory.block_key("scope", &key(*nth), self.now_ms).await,
                    sqlite.block_key("scope", &key(*nth), self.now_ms).await,
                );
                prop_assert_eq!(a, b);
            }
            Op::Purge { days, limit } => {
                let what = Purge {
                    now_ms: self.now_ms,
                    sagas_after_ms: days * DAY,
                    keys_after_ms: 0,
                    limit: *limit,
                };
                prop_assert_eq!(memory.purge(&what).await, sqlite.purge(&what).await);
            }
            Op::Publish { shard, count, skip } => {
                let rows = memory.lane_pending(*shard, *count).await.unwrap();
                let numbers: Vec<i64> = rows
                    .iter()
                    .enumerate()
                    .filter(|(nth, _)| nth != skip)
                    .map(|(_, row)| row.number)
                    .collect();
                let (a, b) = (
                    memory.lane_published(*shard, &numbers, self.now_ms).await,
                    sqlite.lane_published(*shard, &numbers, self.now_ms).await,
                );
                prop_assert_eq!(a, b);
            }
            Op::Park { shard, nth } => {
                let rows = memory.lane_pending(*shard, 9).await.unwrap();
                let number = rows.get(*nth).map_or(1, |row| row.number);
                let (a, b) = (
                    memory.lane_park(*shard, number, "why", self.now_ms).await,
                    sqlite.lane_park(*shard, number, "why", self.now_ms).await,
                );
                prop_assert_eq!(a, b);
            }
            Op::PurgeLane { shard, limit } => {
                let before = self.now_ms - DAY;
                let (a, b) = (
                    memory.lane_purge(*shard, before, *limit).await,
                    sqlite.lane_purge(*shard, before, *limit).await,
                );
                prop_assert_eq!(a, b);
            }
            Op::Pages { limit, status, from } => {
                let mut filter = ListFilter {
                    status: status.map(|nth| Status::ALL[nth]),
                    definition: Some("checkout".to_owned()),
                    started_from_ms: Some(T0 + from * DAY),
                    started_before_ms: Some(self.now_ms),
                    after: None,
                    limit: *limit,
                };
                loop {
                    let page = memory.list(&filter).await;
                    prop_assert_eq!(&page, &sqlite.list(&filter).await);
                    filter.after = page.unwrap().next;
                    if filter.after.is_none() {
                        break;
                    }
                }
            }
            Op::Wait(ms) => self.now_ms += ms,
            Op::Poison(_) | Op::Reopen => {}
        }
        Ok(())
    }

    async fn commit(&self, memory: &dyn Store, sqlite: &dyn Store) -> Result<(), TestCaseError> {
        let (a, b) = (memory.commit(&self.last).await.unwrap(), sqlite.commit(&self.last).await.unwrap());
        for ((append, a), b) in self.last.iter().zip(a).zip(b) {
            match (&a, &b) {
                // The database words a broken constraint in its own way.
                (Verdict::Refused(_), Verdict::Refused(_)) if self.poisoned.contains(&append.saga) => {}
                _ => prop_assert_eq!(&a, &b, "{:?}", append),
            }
        }
        Ok(())
    }
}

/// Everything that can be read.
async fn compare(memory: &dyn Store, sqlite: &dyn Store) -> Result<(), TestCaseError> {
    let all = ListFilter { limit: 99, ..ListFilter::default() };
    prop_assert_eq!(memory.list(&all).await, sqlite.list(&all).await);
    let shards: Vec<u16> = (0..memory.shards()).collect();
    prop_assert_eq!(memory.unfinished(&shards, None, 99).await, sqlite.unfinished(&shards, None, 99).await);
    prop_assert_eq!(memory.in_flight().await, sqlite.in_flight().await);
    for nth in 0..SAGAS {
        prop_assert_eq!(memory.load(saga(nth)).await, sqlite.load(saga(nth)).await);
    }
    for nth in 0..KEYS {
        prop_assert_eq!(memory.key("scope", &key(nth)).await, sqlite.key("scope", &key(nth)).await);
    }
    for shard in 0..SHARDS {
        prop_assert_eq!(memory.lane_pending(shard, 99).await, sqlite.lane_pending(shard, 99).await);
        prop_assert_eq!(memory.lane_lag(shard).await, sqlite.lane_lag(shard).await);
        for since in [0, T0 + DAY, T0 + 5 * DAY] {
            let (a, b) = (
                memory.lane_published_since(shard, since, None, 99).await,
                sqlite.lane_published_since(shard, since, None, 99).await,
            );
            prop_assert_eq!(a, b);
        }
    }
    Ok(())
}

async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let (mut in_memory, mut in_file) = (Memory::default(), Sqlite::new());
    let (memory, mut sqlite) = (in_memory.open().await, in_file.open().await);
    let leases = memory.acquire("node", T0).await.unwrap();
    prop_assert_eq!(&leases, &sqlite.acquire("node", T0).await.unwrap());
    let mut history =
        History { now_ms: T0, leases, lost: Vec::new(), last: Vec::new(), poisoned: BTreeSet::new() };
    for op in &ops {
        match op {
            Op::Reopen => {
                drop(sqlite);
                sqlite = in_file.open().await;
            }
            Op::Poison(nth) => {
                if history.poisoned.insert(saga(*nth)) {
                    in_memory.poison(saga(*nth)).await;
                    in_file.poison(saga(*nth)).await;
                }
            }
            _ => history.apply(op, memory.as_ref(), sqlite.as_ref()).await?,
        }
    }
    compare(memory.as_ref(), sqlite.as_ref()).await
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(40),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn memory_and_sqlite_answer_alike(history in prop::collection::vec(ops(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(history))?;
    }
}
