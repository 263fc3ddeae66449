//! A town of participants that can be away, silent or misconfigured, and an engine that calls them. Time is tokio's,
//! paused.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_core::{
    Catalog, Definition, DefinitionBuilder, Op, Operation, Outcome, RetryPolicy, Status, Timestamp,
};
use backstitch_engine::{
    Clock, Dispatch, Dispatcher, Engine, Fault, Heard, NewRun, Options, StartError, Started,
};
use backstitch_proto::noop::{ActRequest, ActResponse, SyntheticInput, UndoRequest, UndoResponse};
use backstitch_store::testing::MemoryStore;
use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) const LATENCY: Duration = Duration::from_millis(10);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// How a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// No connection is made.
    Away,
    /// Calls run into their deadline.
    Silent,
    /// `UNIMPLEMENTED`.
    Unserved,
    /// The contract's NotNow.
    Busy,
    /// The contract's Broken.
    Broken,
    /// An answer that says nothing, and may be about this saga alone.
    Confused,
}

/// A call that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) at: Duration,
    pub(crate) saga: Uuid,
    pub(crate) participant: &'static str,
    pub(crate) step: &'static str,
    pub(crate) op: Op,
    pub(crate) attempt: u32,
}

pub(crate) struct Participants {
    began: Instant,
    moods: Mutex<HashMap<&'static str, Mood>>,
    made: Mutex<Vec<Made>>,
}

impl Participants {
    pub(crate) fn become_(&self, participant: &'static str, mood: Mood) {
        self.moods.lock().unwrap().insert(participant, mood);
    }

    pub(crate) fn made(&self, wanted: impl Fn(&Made) -> bool) -> Vec<Made> {
        self.made.lock().unwrap().iter().filter(|made| wanted(made)).copied().collect()
    }

    pub(crate) fn calls_to(&self, participant: &str) -> usize {
        self.made(|made| made.participant == participant).len()
    }
}

#[async_trait]
impl Dispatcher for Participants {
    async fn call(&self, call: Dispatch) -> Heard {
        self.made.lock().unwrap().push(Made {
            at: self.began.elapsed(),
            saga: call.saga,
            participant: call.participant,
            step: call.step,
            op: call.op,
            attempt: call.attempt,
        });
        let mood = self.moods.lock().unwrap().get(call.participant).copied().unwrap_or(Mood::Well);
        tokio::time::sleep(if mood == Mood::Silent { call.timeout } else { LATENCY }).await;
        let not_now = |why: &str| Outcome::NotNow { after: Duration::ZERO, why: why.into() };
        match mood {
            Mood::Well => Outcome::Done(Bytes::new()).into(),
            Mood::Away => Heard::fault(not_now("not reachable"), Fault::Unreachable),
            Mood::Silent => Heard::fault(Outcome::unknown("no answer"), Fault::Silent),
            Mood::Unserved => Heard::fault(Outcome::unknown("Unimplemented"), Fault::Unserved),
            Mood::Busy => not_now("busy").into(),
            Mood::Broken => Outcome::Broken("another body under this key".into()).into(),
            Mood::Confused => Outcome::unknown("Internal: oops").into(),
        }
    }
}

/// Tokio's clock as a wall clock.
struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }
}

pub(crate) struct Town {
    pub(crate) participants: Arc<Participants>,
    pub(crate) engine: Engine,
    pub(crate) store: Arc<MemoryStore>,
    began: Instant,
}

const fn act(participant: &'static str) -> Operation<ActRequest, ActResponse> {
    Operation::new(participant, "Act")
}

const fn undo(participant: &'static str) -> Operation<UndoRequest, UndoResponse> {
    Operation::new(participant, "Undo")
}

/// Reserve at the inventory, pay (the pivot), ship; none of them with much patience where `patience` is short.
pub(crate) fn order(patience: Duration) -> Definition {
    let retry = |policy: RetryPolicy| RetryPolicy { budget: policy.budget.min(patience), ..policy };
    let mut d = DefinitionBuilder::<SyntheticInput>::new("order", 1);
    let reserve = d
        .step("reserve", act("inventory"))
        .request(|_, ()| ActRequest::default())
        .retry(retry(RetryPolicy::FORWARD))
        .undo_retry(retry(RetryPolicy::UNDO))
        .compensated_by(undo("inventory"), |_| UndoRequest::default());
    let pay = d
        .step("pay", act("payment"))
        .after([reserve.step()])
        .request(|_, ()| ActRequest::default())
        .retry(retry(RetryPolicy::FORWARD))
        .pivot();
    d.step("ship", act("shipping"))
        .after([pay.step()])
        .request(|_, ()| ActRequest::default())
        .retry(retry(RetryPolicy::AFTER_PIVOT))
        .retriable();
    d.build().unwrap()
}

/// Pay and be done.
pub(crate) fn download() -> Definition {
    let mut d = DefinitionBuilder::<SyntheticInput>::new("download", 1);
    d.step("pay", act("payment")).request(|_, ()| ActRequest::default()).pivot();
    d.build().unwrap()
}

impl Town {
    pub(crate) async fn new(options: Options) -> Self {
        Self::with(order(HOUR * 24), options).await
    }

    pub(crate) async fn with(order: Definition, options: Options) -> Self {
        let began = Instant::now();
        let participants = Arc::new(Participants { began, moods: Mutex::default(), made: Mutex::default() });
        let catalog = Catalog::default().with(order).with(download());
        Self::over(Arc::new(MemoryStore::default()), participants, catalog, options).await
    }

    async fn over(
        store: Arc<MemoryStore>,
        participants: Arc<Participants>,
        catalog: Catalog,
        options: Options,
    ) -> Self {
        let (began, clock) = (participants.began, Arc::new(Wall(participants.began)));
        let engine = Engine::start_up(store.clone(), participants.clone(), catalog, clock, options);
        let engine = engine.await.unwrap();
        Self { participants, engine, store, began }
    }

    /// Another engine on the same store, as after a restart; the first one drains.
    pub(crate) async fn restarted(&self, options: Options) -> Self {
        self.engine.drain().await;
        let catalog = self.engine.catalog().clone();
        Self::over(self.store.clone(), self.participants.clone(), catalog, options).await
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) async fn try_start(&self, definition: &str) -> Result<Uuid, StartError> {
        let run = NewRun {
            id: Uuid::now_v7(),
            root: None,
            definition: definition.into(),
            scope: "test".into(),
            key: None,
            request_hash: [0; 32],
            input: Bytes::new(),
            traceparent: String::new(),
        };
        match self.engine.start(run).await? {
            Started::New(id, _) => Ok(id),
            Started::Existing(id) => panic!("{id} was there already"),
        }
    }

    pub(crate) async fn start(&self, definition: &str) -> Uuid {
        self.try_start(definition).await.unwrap()
    }

    pub(crate) async fn start_many(&self, definition: &str, n: usize) -> Vec<Uuid> {
        let mut ids = Vec::with_capacity(n);
        for _ in 0..n {
            ids.push(self.start(definition).await);
        }
        ids
    }

    pub(crate) async fn status(&self, id: Uuid) -> Status {
        self.engine.view(id).await.unwrap().unwrap().state.status()
    }

    /// Its status once it rests, within so long.
    pub(crate) async fn rests(&self, id: Uuid, patience: Duration) -> Status {
        self.engine.wait_final(id, patience).await.unwrap().unwrap().state.status()
    }

    pub(crate) fn troubled(&self) -> Vec<&'static str> {
        self.engine.troubles().into_iter().map(|trouble| trouble.participant).collect()
    }
}

/// Lets so much time pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
