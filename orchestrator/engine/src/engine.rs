//! The handle.

use std::collections::HashSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use backstitch_core::Catalog;
use backstitch_failpoint::hit;
use backstitch_store::{SagaRow, Status, Store, StoreError};
use futures::FutureExt as _;
use metrics::{counter, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};
use uuid::Uuid;

use crate::clock::Clock;
use crate::definitions::Versions;
use crate::dispatch::Dispatcher;
use crate::flow::{Flow, Trouble};
use crate::follow::{Durable, Follow};
use crate::metrics as names;
use crate::oldest::Oldest;
use crate::options::Options;
use crate::poison::{REFUSED, panic_text};
use crate::registry::{Command, Live, Registry};
use crate::room::Room;
use crate::runner::{Exit, Runner};
use crate::shards::{Home, Shards, Standing};
use crate::view::SagaView;
use crate::writer::Writer;

/// What every task of an engine shares.
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) dispatcher: Arc<dyn Dispatcher>,
    pub(crate) flow: Flow,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    pub(crate) writer: Writer,
    pub(crate) versions: Versions,
    pub(crate) oldest: Oldest,
    pub(crate) registry: Registry,
    pub(crate) shards: Shards,
    pub(crate) stopping: CancellationToken,
    /// Drained: nothing is looked after any more.
    pub(crate) closed: CancellationToken,
    pub(crate) fatal: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) room: Room,
    /// Returns that are seen to.
    pub(crate) seen_to: Mutex<HashSet<Uuid>>,
}

/// A running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

impl Engine {
    /// Takes every shard of `store`, or joins the others that share it and takes what is due; announces what it can
    /// run, and begins. What it took for itself alone it does not recover yet: see [`Engine::recover`]. To go on it has
    /// to be looked after: see [`Engine::spawn_recovery`].
    pub async fn start_up(
        store: Arc<dyn Store>,
        dispatcher: Arc<dyn Dispatcher>,
        catalog: Catalog,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, StoreError> {
        let (fatal, stopping) = (CancellationToken::new(), CancellationToken::new());
        let shards = match options.sharing.clone() {
            Some(sharing) => {
                let member = store.join(&options.node, &sharing.address, sharing.term).await?;
                Shards::shared(sharing, member, &stopping)
            }
            None => {
                hit("lease.before_claim");
                let leases = store.acquire(&options.node, clock.now().0).await?;
                hit("lease.after_claim");
                Shards::whole(&options.node, leases, &stopping)
            }
        };
        let shared = Shared {
            flow: Flow::new(options.flow, &stopping),
            writer: Writer::spawn(store.clone(), options.max_batch, fatal.clone()),
            catalog,
            store,
            dispatcher,
            clock,
            versions: Versions::default(),
            oldest: Oldest::default(),
            registry: Registry::default(),
            shards,
            stopping,
            closed: CancellationToken::new(),
            fatal,
            tasks: TaskTracker::new(),
            places: Arc::new(Semaphore::new(options.max_live)),
            room: Room::default(),
            seen_to: Mutex::default(),
            options,
        };
        shared.announce().await?;
        shared.learn().await?;
        let engine = Self { shared: Arc::new(shared) };
        // Only now: whoever claims has said what it can run.
        engine.tick().await?;
        Ok(engine)
    }

    /// Runs a saga's task; a panic in it is caught, logged and parks that saga alone.
    ///
    /// `place` is its place among the live sagas, given back when it leaves memory; recovery needs none.
    pub(crate) fn spawn(&self, mut runner: Runner, recovered: bool, place: Option<OwnedSemaphorePermit>) {
        let engine = self.clone();
        self.shared.tasks.spawn(async move {
            let id = runner.saga.id;
            gauge!(names::LIVE).increment(1);
            let exit = AssertUnwindSafe(runner.run(recovered)).catch_unwind().await;
            gauge!(names::LIVE).decrement(1);
            if let Ok(Exit::Rested) = exit {
                let status = runner.saga.status();
                let ended = if status.is_final() { names::ENDED } else { names::PARKED };
                counter!(ended, "definition" => runner.definition.name, "status" => status.as_str())
                    .increment(1);
            }
            // Dropping the runner ends its watch: followers see the state that it left behind.
            let good = match exit {
                Ok(Exit::Rested) => runner.return_to_see_to(),
                _ => None,
            };
            engine.shared.registry.leave(id);
            drop((runner, place));
            if let Some(good) = good {
                engine.see_to(good);
            }
            match exit {
                Ok(Exit::Rested | Exit::Stopped | Exit::Dropped | Exit::Fenced) => {}
                Ok(Exit::Refused) => engine.poison(id, REFUSED).await,
                Err(panic) => {
                    let why = panic_text(panic.as_ref());
                    error!(saga = %id, why, "a saga's task panicked; the saga is parked");
                    engine.poison(id, &format!("its task panicked: {why}")).await;
                }
            }
        });
    }

    /// The store, for reads that are not about one saga.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The definitions that this node runs.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// The participants that calls are kept from now, by name.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.shared.flow.troubles()
    }

    /// How long a saga that has ended is kept.
    pub fn retention(&self) -> Duration {
        self.shared.options.retention
    }

    /// Sagas in memory.
    pub fn live(&self) -> usize {
        self.shared.registry.len()
    }

    /// Whether the store has room for new work, as far as is known: false for a while after some was refused.
    pub fn has_room(&self) -> bool {
        self.shared.room.is_left(self.shared.clock.now())
    }

    /// Completes when the store can no longer tell what is durable: end the process then.
    pub fn fatal(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.fatal.clone().cancelled_owned()
    }

    /// Who has the shard in which a saga lives.
    pub fn home(&self, saga: &SagaRow) -> Home {
        self.shared.shards.home(saga.shard)
    }

    /// Whether this node may act for a shard now.
    pub fn has_shard(&self, shard: u16) -> bool {
        self.shared.shards.home(shard) == Home::Here
    }

    /// Where this node stands among the others.
    pub fn standing(&self) -> Standing {
        self.shared.shards.standing()
    }

    /// Completes when another process has joined under this node's name: end the process then.
    pub fn replaced(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.shards.replaced.clone().cancelled_owned()
    }

    /// Stops taking sagas and making calls, waits for calls in flight, and returns when every record that was handed
    /// to the writer is durable. What is unfinished is left to the next owner: a shard is handed over as soon as what was
    /// under way in it has come to rest.
    pub async fn drain(&self) {
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        let patience = self.shared.options.drain_patience;
        // So that nobody waits for this node, or means anything for it; without it they do until it is no longer live.
        if let Err(error) = self.shared.store.withdraw(&self.shared.options.node).await {
            info!(%error, "this node could not withdraw its announcement");
        }
        self.leave_the_others().await;
        if tokio::time::timeout(patience, self.shared.tasks.wait()).await.is_err() {
            info!(live = self.live(), "stopping with calls in flight; recovery asks again by key");
        }
        self.shared.closed.cancel();
    }
}

/// The two ends of a live saga's channels.
pub(crate) struct Channels {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) durable: Arc<watch::Sender<Durable>>,
    pub(crate) last: Arc<OnceLock<SagaView>>,
}

pub(crate) fn channels(durable_seq: u32) -> (Channels, Live) {
    let (send, commands) = mpsc::unbounded_channel();
    let (durable, follow) = watch::channel(Durable { seq: durable_seq, status: Status::Running, lost: None });
    let last = Arc::new(OnceLock::new());
    let live = Live { commands: send, follow: Follow { durable: follow, last: last.clone() } };
    (Channels { commands, durable: Arc::new(durable), last }, live)
}
