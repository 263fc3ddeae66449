//! Several nodes over one store in memory. Time is tokio's, paused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_core::{Catalog, Outcome, Status, Timestamp};
use backstitch_engine::{
    Clock, Dispatch, Dispatcher, Engine, Heard, NewRun, Options, Sharing, Standing, Started,
};
use backstitch_store::testing::MemoryStore;
use backstitch_store::{ListFilter, Store as _};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::line::{Ledger, Line};

pub(crate) const TERM: Duration = Duration::from_secs(3);
/// How long a participant takes.
pub(crate) const LATENCY: Duration = Duration::from_millis(20);

/// A call, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) node: &'static str,
    pub(crate) saga: Uuid,
    pub(crate) step: String,
}

/// What all nodes share.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) ledger: Ledger,
    pub(crate) made: Arc<Mutex<Vec<Made>>>,
    held: Arc<watch::Sender<bool>>,
}

pub(crate) struct Node {
    pub(crate) line: Arc<Line>,
    pub(crate) engine: Engine,
}

struct Participants {
    node: &'static str,
    made: Arc<Mutex<Vec<Made>>>,
    held: Arc<watch::Sender<bool>>,
}

#[async_trait]
impl Dispatcher for Participants {
    async fn call(&self, call: Dispatch) -> Heard {
        let (saga, step) = (call.saga, call.step.to_owned());
        self.made.lock().unwrap().push(Made { node: self.node, saga, step });
        tokio::time::sleep(LATENCY).await;
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        Outcome::Done(Bytes::new()).into()
    }
}

struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }
}

impl Fleet {
    pub(crate) fn new(shards: u16) -> Self {
        Self {
            store: Arc::new(MemoryStore::new(shards)),
            ledger: Ledger::default(),
            made: Arc::default(),
            held: Arc::new(watch::channel(false).0),
        }
    }

    /// Participants answer nobody until they are let go.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }

    pub(crate) async fn node(&self, name: &'static str) -> Node {
        self.node_with(name, Catalog::default().with(backstitch_sagas::synthetic(4).unwrap())).await
    }

    pub(crate) async fn node_with(&self, name: &'static str, catalog: Catalog) -> Node {
        let line = Line::new(&self.store, &self.ledger);
        let dispatcher = Participants { node: name, made: self.made.clone(), held: self.held.clone() };
        let sharing = Sharing { address: format!("http://{name}"), term: TERM };
        let options = Options { node: name.to_owned(), sharing: Some(sharing), ..Options::default() };
        let clock = Arc::new(Wall(Instant::now()));
        let engine =
            Engine::start_up(line.clone(), Arc::new(dispatcher), catalog, clock, options).await.unwrap();
        engine.spawn_recovery();
        Node { line, engine }
    }

    /// How many sagas are not completed.
    pub(crate) async fn unfinished(&self) -> usize {
        let filter = ListFilter { limit: 100_000, ..ListFilter::default() };
        let rows = self.store.list(&filter).await.unwrap().sagas;
        rows.iter().filter(|row| row.status != Status::Completed).count()
    }

    /// Waits until every saga is completed.
    pub(crate) async fn all_completed(&self, patience: Duration) {
        until(patience, "every saga is completed", async || self.unfinished().await == 0).await;
    }

    /// Waits until the nodes have so many shards each.
    pub(crate) async fn balanced(&self, nodes: &[(&Node, usize)]) {
        // A shard in which a call is out is handed over when that is answered, or when patience with it ends.
        let patience = Options::default().drain_patience + TERM * 3;
        until(patience, "the shards are shared", async || nodes.iter().all(|(node, n)| node.shards() == *n))
            .await;
    }

    /// No commit was made under a lower epoch than one before it, shard by shard.
    pub(crate) fn epochs_only_rise(&self) {
        let mut last = BTreeMap::new();
        for (shard, epoch) in self.ledger.lock().unwrap().iter() {
            let before = last.insert(*shard, *epoch).unwrap_or(0);
            assert!(before <= *epoch, "shard {shard}: {before}, then {epoch}");
        }
    }

    pub(crate) fn made(&self, wanted: impl Fn(&Made) -> bool) -> Vec<Made> {
        self.made.lock().unwrap().iter().filter(|made| wanted(made)).cloned().collect()
    }
}

impl Node {
    /// How many shards it may act for.
    pub(crate) fn shards(&self) -> usize {
        match self.engine.standing() {
            Standing::Sharing { shards, .. } => shards,
            _ => 0,
        }
    }

    pub(crate) async fn start(&self) -> Uuid {
        self.start_of("synthetic").await
    }

    pub(crate) async fn start_of(&self, definition: &str) -> Uuid {
        let run = NewRun {
            id: Uuid::now_v7(),
            root: None,
            definition: definition.to_owned(),
            scope: "test".into(),
            key: None,
            request_hash: [7; 32],
            input: Bytes::new(),
            traceparent: String::new(),
        };
        match self.engine.start(run).await.unwrap() {
            Started::New(id, _) => id,
            Started::Existing(id) => panic!("{id} was there already"),
        }
    }

    pub(crate) async fn start_many(&self, count: usize) -> Vec<Uuid> {
        futures::future::join_all((0..count).map(|_| self.start())).await
    }
}

/// Waits for something, for so long at most.
pub(crate) async fn until(patience: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(patience, waiting).await.is_ok(), "not in {patience:?}: {what}");
}
