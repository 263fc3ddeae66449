//! What the laws are written in: a store under trial and short words for appends.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{
    Append, Lease, NewEvent, NewSaga, OutboxRow, SagaRow, Status, Store, StoreError, Summary, Verdict, door,
};

/// When every saga of a trial starts, Unix milliseconds.
pub const T0: i64 = 1_700_000_000_000;
/// One day in milliseconds.
pub const DAY: i64 = 24 * 60 * 60 * 1000;

/// A kind of store, and what a law may do to it besides calling it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Opens it, empty at first; after that with everything that is durable. What was opened before is gone.
    async fn open(&mut self) -> Arc<dyn Store>;

    /// From now on every append of this saga breaks a constraint of the database.
    async fn poison(&self, saga: Uuid);
}

/// A store under trial, its shards acquired.
pub struct Trial {
    subject: Box<dyn Subject>,
    store: Option<Arc<dyn Store>>,
    /// One per shard, as they were acquired last.
    pub leases: Vec<Lease>,
    ids: u128,
}

impl Trial {
    /// Opens the store and takes its shards.
    pub async fn new(mut subject: Box<dyn Subject>) -> Self {
        let store = Some(subject.open().await);
        let mut trial = Self { subject, store, leases: Vec::new(), ids: 0 };
        trial.acquire().await;
        trial
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        match &self.store {
            Some(store) => store.as_ref(),
            None => panic!("the store is closed"),
        }
    }

    /// Closes the store, opens it again, and keeps the old leases.
    pub async fn reopen(&mut self) {
        self.store = None;
        self.store = Some(self.subject.open().await);
    }

    /// Takes every shard anew; answers the leases before.
    pub async fn acquire(&mut self) -> Vec<Lease> {
        let leases = good(self.store().acquire("node", T0).await);
        std::mem::replace(&mut self.leases, leases)
    }

    /// See [`Subject::poison`].
    pub async fn poison(&self, saga: Uuid) {
        self.subject.poison(saga).await;
    }

    /// The id of the next saga; ids ascend.
    pub fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | self.ids)
    }

    /// A start in shard 0 with one record and no key.
    pub fn start(&self, saga: Uuid) -> Append {
        let new = NewSaga {
            scope: String::new(),
            key: None,
            request_hash: [0; 32],
            definition: "checkout".to_owned(),
            version: 1,
            started_at_ms: T0,
        };
        Append { start: Some(new), ..self.more(saga, 1, 1) }
    }

    /// So many records from `first_seq` on, in shard 0.
    pub fn more(&self, saga: Uuid, first_seq: u32, count: u32) -> Append {
        Append {
            saga,
            root: saga,
            shard: 0,
            epoch: self.leases[0].epoch,
            start: None,
            first_seq,
            records: (0..count).map(|nth| record(saga, first_seq.saturating_add(nth))).collect(),
            summary: None,
            events: Vec::new(),
        }
    }

    /// The same append in another shard, under the current lease.
    pub fn in_shard(&self, shard: u16, append: Append) -> Append {
        Append { shard, epoch: self.leases[usize::from(shard)].epoch, ..append }
    }

    /// Every shard.
    pub fn shards(&self) -> Vec<u16> {
        (0..self.store().shards()).collect()
    }

    /// The unfinished sagas of every shard.
    pub async fn unfinished(&self, after: Option<Uuid>, limit: usize) -> Vec<Uuid> {
        good(self.store().unfinished(&self.shards(), after, limit).await)
    }

    /// Commits and answers the verdicts.
    pub async fn commit(&self, batch: &[Append]) -> Vec<Verdict> {
        let verdicts = good(self.store().commit(batch).await);
        assert_eq!(verdicts.len(), batch.len(), "one verdict per append");
        verdicts
    }

    /// Commits what must all be committed.
    pub async fn accept(&self, batch: &[Append]) {
        for (append, verdict) in batch.iter().zip(self.commit(batch).await) {
            assert_eq!(verdict, Verdict::Committed, "{append:?}");
        }
    }

    /// Commits one append that must be refused, and answers why.
    pub async fn refuse(&self, append: Append) -> String {
        match self.commit(std::slice::from_ref(&append)).await.remove(0) {
            Verdict::Refused(why) => why,
            other => panic!("{other:?} for {append:?}"),
        }
    }

    /// A new saga of so many records, committed.
    pub async fn saga(&mut self, records: u32) -> Uuid {
        let saga = self.id();
        self.accept(&[self.start(saga)]).await;
        if records > 1 {
            self.accept(&[self.more(saga, 2, records - 1)]).await;
        }
        saga
    }

    /// How many records a saga has; 0 if it is not there.
    pub async fn length(&self, saga: Uuid) -> usize {
        good(self.store().load(saga).await).map_or(0, |saga| saga.records.len())
    }

    /// A saga's row.
    pub async fn row(&self, saga: Uuid) -> SagaRow {
        match good(self.store().load(saga).await) {
            Some(saga) => saga.row,
            None => panic!("saga {saga} is not there"),
        }
    }

    /// What is pending in a lane.
    pub async fn pending(&self, shard: u16) -> Vec<OutboxRow> {
        good(self.store().lane_pending(shard, usize::MAX).await)
    }

    /// The numbers of what is pending in lane 0.
    pub async fn numbers(&self) -> Vec<i64> {
        self.pending(0).await.iter().map(|row| row.number).collect()
    }

    /// Marks events of lane 0 as published.
    pub async fn publish(&self, numbers: &[i64], now_ms: i64) {
        good(self.store().lane_published(0, numbers, now_ms).await);
    }

    /// Parks an event of lane 0.
    pub async fn park(&self, number: i64) {
        good(self.store().lane_park(0, number, "poison", T0).await);
    }
}

/// The answer, or the end of the trial.
pub fn good<T>(answer: Result<T, StoreError>) -> T {
    match answer {
        Ok(answer) => answer,
        Err(error) => panic!("the store answered: {error}"),
    }
}

/// The bytes of record `seq` of a saga: different for each.
pub fn record(saga: Uuid, seq: u32) -> Bytes {
    Bytes::from(format!("record {seq} of {saga}"))
}

/// Short words for changing an append.
pub trait Edit: Sized {
    /// The start brings this key, in scope "".
    fn key(self, key: &str) -> Self;
    /// The start's fields, changed.
    fn new_saga(self, change: impl FnOnce(&mut NewSaga)) -> Self;
    /// It brings the saga to this status, at [`T0`].
    fn status(self, status: Status) -> Self;
    /// It brings the saga to this status at that time.
    fn status_at(self, status: Status, updated_at_ms: i64) -> Self;
    /// It publishes one more event with this payload.
    fn event(self, payload: &str) -> Self;
    /// It belongs to this root.
    fn root(self, root: Uuid) -> Self;
}

impl Edit for Append {
    fn key(self, key: &str) -> Self {
        self.new_saga(|new| new.key = Some(key.to_owned()))
    }

    fn new_saga(mut self, change: impl FnOnce(&mut NewSaga)) -> Self {
        match &mut self.start {
            Some(new) => change(new),
            None => panic!("this append starts nothing"),
        }
        self
    }

    fn status(self, status: Status) -> Self {
        self.status_at(status, T0)
    }

    fn status_at(mut self, status: Status, updated_at_ms: i64) -> Self {
        self.summary = Some(Summary { status, updated_at_ms });
        self
    }

    fn event(mut self, payload: &str) -> Self {
        self.events.push(NewEvent {
            kind: "com.backstitch.test.v1".to_owned(),
            topic: "test.events".to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            traceparent: String::new(),
            at_ms: T0,
        });
        self
    }

    fn root(self, root: Uuid) -> Self {
        Self { root, ..self }
    }
}

/// Whether a refusal names this saga.
pub fn names(why: &str, saga: Uuid) -> bool {
    why.starts_with(&door::refusal(saga, ""))
}
