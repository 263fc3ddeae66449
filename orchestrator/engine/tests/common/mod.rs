//! An engine over a store in memory and participants that answer by script.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use backstitch_core::{Catalog, Definition, Op, Outcome, Timestamp};
use backstitch_engine::{Clock, Dispatch, Dispatcher, Engine, Heard, NewRun, Options, StartError, Started};
use backstitch_store::Store;
use backstitch_store::testing::MemoryStore;
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

type Script = dyn Fn(&Dispatch) -> Heard + Send + Sync;

/// Answers by a function, remembers what it was asked, and can make callers wait.
pub(crate) struct Participants {
    script: Box<Script>,
    calls: watch::Sender<Vec<(Uuid, String, Op)>>,
    held: watch::Sender<bool>,
}

impl Participants {
    pub(crate) fn answering<H: Into<Heard>>(
        script: impl Fn(&Dispatch) -> H + Send + Sync + 'static,
    ) -> Arc<Self> {
        let script = move |call: &Dispatch| script(call).into();
        let (calls, held) = (watch::channel(Vec::new()).0, watch::channel(false).0);
        Arc::new(Self { script: Box::new(script), calls, held })
    }

    /// Everybody answers Done.
    pub(crate) fn willing() -> Arc<Self> {
        Self::answering(|_| Outcome::Done(Bytes::new()))
    }

    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    pub(crate) fn calls(&self) -> Vec<(Uuid, String, Op)> {
        self.calls.borrow().clone()
    }

    /// Steps that were asked `op` for this saga, in order.
    pub(crate) fn asked(&self, saga: Uuid, op: Op) -> Vec<String> {
        self.calls()
            .into_iter()
            .filter(|(id, _, o)| *id == saga && *o == op)
            .map(|(_, step, _)| step)
            .collect()
    }

    /// Waits until `n` calls have been made.
    pub(crate) async fn until_called(&self, n: usize) {
        self.calls.subscribe().wait_for(|calls| calls.len() >= n).await.unwrap();
    }
}

#[async_trait]
impl Dispatcher for Participants {
    async fn call(&self, call: Dispatch) -> Heard {
        let heard = (self.script)(&call);
        self.calls.send_modify(|calls| calls.push((call.saga, call.step.to_owned(), call.op)));
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        heard
    }
}

/// A clock that stands until it is moved.
pub(crate) struct Hands(pub(crate) AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) participants: Arc<Participants>,
    pub(crate) clock: Arc<Hands>,
    pub(crate) engine: Engine,
}

impl World {
    pub(crate) async fn with(participants: Arc<Participants>, definition: Definition) -> Self {
        let options = Options::default();
        Self::over(
            Arc::new(MemoryStore::default()),
            participants,
            Catalog::default().with(definition),
            options,
        )
        .await
    }

    pub(crate) async fn over(
        store: Arc<MemoryStore>,
        participants: Arc<Participants>,
        catalog: Catalog,
        options: Options,
    ) -> Self {
        let clock = Arc::new(Hands(AtomicI64::new(1_000_000)));
        let durable: Arc<dyn Store> = store.clone();
        let engine =
            Engine::start_up(durable, participants.clone(), catalog, clock.clone(), options).await.unwrap();
        Self { store, participants, clock, engine }
    }

    /// Another engine on the same store, as after a restart.
    pub(crate) async fn restarted(&self, participants: Arc<Participants>) -> Self {
        let catalog = self.engine.catalog().clone();
        Self::over(self.store.clone(), participants, catalog, Options::default()).await
    }

    pub(crate) async fn start(&self, key: Option<&str>) -> Result<Started, StartError> {
        self.engine.start(run(Uuid::now_v7(), key)).await
    }

    /// Starts a saga that must be new.
    pub(crate) async fn started(&self) -> (Uuid, backstitch_engine::Follow) {
        match self.start(None).await.unwrap() {
            Started::New(id, follow) => (id, follow),
            Started::Existing(id) => panic!("{id} was there already"),
        }
    }
}

pub(crate) fn run(id: Uuid, key: Option<&str>) -> NewRun {
    NewRun {
        id,
        root: None,
        definition: "synthetic".into(),
        scope: "test".into(),
        key: key.map(str::to_owned),
        request_hash: [7; 32],
        input: Bytes::new(),
        traceparent: String::new(),
    }
}

pub(crate) fn synthetic(steps: usize) -> Definition {
    backstitch_sagas::synthetic(steps).unwrap()
}
