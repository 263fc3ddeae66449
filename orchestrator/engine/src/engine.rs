//! The handle.

use std::collections::HashSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use backstitch_core::{Catalog, End, Event, Illegal, begin};
use backstitch_failpoint::hit;
use backstitch_store::{KeyRow, Member, NewSaga, SagaRow, Status, Store, StoreError, codec};
use bytes::Bytes;
use futures::FutureExt as _;
use metrics::{counter, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};
use uuid::Uuid;

use crate::clock::Clock;
use crate::definitions::Versions;
use crate::dispatch::Dispatcher;
use crate::flow::{Flow, Trouble};
use crate::follow::{Durable, Follow};
use crate::label::label;
use crate::metrics as names;
use crate::options::Options;
use crate::poison::{REFUSED, panic_text};
use crate::registry::{Command, Live, NotTaken, Registry};
use crate::room::Room;
use crate::runner::{Exit, Runner, append};
use crate::shards::{Home, Shards, Standing, Tenure};
use crate::traces;
use crate::view::{History, ReadError, SagaView};
use crate::writer::{Job, Lost, Writer};

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
    pub(crate) registry: Registry,
    pub(crate) shards: Shards,
    pub(crate) stopping: CancellationToken,
    /// Drained: nothing is looked after any more.
    pub(crate) closed: CancellationToken,
    pub(crate) fatal: CancellationToken,
    pub(crate) tasks: TaskTracker,
    places: Arc<Semaphore>,
    room: Room,
    /// Returns that are seen to.
    pub(crate) seen_to: Mutex<HashSet<Uuid>>,
}

/// A running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// A saga to start.
#[derive(Clone)]
pub struct NewRun {
    /// UUIDv7, drawn by the caller.
    pub id: Uuid,
    /// The saga whose family it is of: it runs in that one's shard, and its events have that one's key. None: its own.
    pub root: Option<Uuid>,
    /// Name of the definition; its highest version that is switched on runs.
    pub definition: String,
    /// Whose key it is.
    pub scope: String,
    /// The client's idempotency key, if it gave one.
    pub key: Option<String>,
    /// Hash of the parsed request, to tell a retry from another request under the same key.
    pub request_hash: [u8; 32],
    /// The encoded input.
    pub input: Bytes,
    /// W3C trace context; may be empty.
    pub traceparent: String,
}

/// A saga that is durable.
pub enum Started {
    /// It was started now.
    New(Uuid, Follow),
    /// The key and request are those of this saga, started earlier.
    Existing(Uuid),
}

impl Started {
    /// Which saga it is.
    pub fn id(&self) -> Uuid {
        match self {
            Started::New(id, _) | Started::Existing(id) => *id,
        }
    }
}

/// Why a saga was not started. Nothing was written unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key belongs to another request.
    #[error("the idempotency key was used with another request")]
    KeyReused {
        /// The saga that has it.
        saga: Uuid,
    },
    /// The key was given up.
    #[error("the idempotency key was given up")]
    KeyBlocked,
    /// Too many sagas are live; try again then.
    #[error("too many sagas are in flight")]
    Busy {
        /// When.
        retry_after: Duration,
    },
    /// A participant that the saga needs is away, or does not serve us; try again later.
    #[error("{} {}", .0.participant, .0.why)]
    Unavailable(Trouble),
    /// The disk is full.
    #[error("the saga store is full")]
    Full,
    /// No such definition.
    #[error("there is no definition `{0}`")]
    UnknownDefinition(String),
    /// No version of it that this node can run is switched on.
    #[error("no version of definition `{0}` that this node can run is switched on")]
    NotSwitchedOn(String),
    /// The input is over the limit.
    #[error("the input has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// It belongs to a family whose shard this node does not have.
    #[error("its root is in the hands of {}", .owner.as_ref().map_or("no node right now", |owner| owner.node.as_str()))]
    Elsewhere {
        /// Who has it; none while nobody has, or nobody who is heard of.
        owner: Option<Member>,
    },
    /// This node has no shard to start it in: it shares the store and has none right now. Another node may have one.
    #[error("this node has no shard right now")]
    NoShard {
        /// When to ask it again.
        retry_after: Duration,
    },
    /// The node is stopping.
    #[error("this node is stopping")]
    ShuttingDown,
    /// The store refused or is gone; whether it was written is not known. Ask again with the same key.
    #[error("the saga store did not take it: {0}")]
    Store(String),
}

/// Why a saga was not cancelled (or woken, resumed, noted, made good).
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// No such saga.
    #[error("there is no such saga")]
    NotFound,
    /// The pivot has begun.
    #[error("the pivot has begun; from then on it only goes forward")]
    TooLate,
    /// It has ended.
    #[error("the saga has ended")]
    AlreadyFinal(End),
    /// The event does not fit its state.
    #[error(transparent)]
    Illegal(Illegal),
    /// It has records since the one that the verb was decided on.
    #[error("decided on record {decided_on}, and the last one is {now}")]
    MovedOn {
        /// What the person saw.
        decided_on: u32,
        /// The last record now.
        now: u32,
    },
    /// What follows from it cannot be worked out or kept: it was not done, and the saga is parked as a whole.
    #[error("it failed, and the saga is parked as a whole: {0}")]
    Failed(String),
    /// The saga lives in a shard that this node does not have.
    #[error("the saga is in the hands of {}", .owner.as_ref().map_or("no node right now", |owner| owner.node.as_str()))]
    Elsewhere {
        /// Who has it; none while nobody has, or nobody who is heard of.
        owner: Option<Member>,
    },
    /// The node is stopping.
    #[error("this node is stopping; ask again")]
    ShuttingDown,
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
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

    /// Starts a saga; when this returns `New`, it survives any crash. Dropping the future does not stop the saga.
    pub async fn start(&self, new: NewRun) -> Result<Started, StartError> {
        let shared = &self.shared;
        if shared.stopping.is_cancelled() {
            return Err(StartError::ShuttingDown);
        }
        let definition = shared.versions.for_new(&shared.catalog, new.definition)?;
        let (size, limit) = (new.input.len(), shared.options.max_input_bytes);
        if size > limit {
            return Err(StartError::TooLarge { size, limit });
        }
        let busy = shared.options.busy_retry_after;
        let tenure = match new.root {
            None => shared.shards.for_new(new.id).ok_or(StartError::NoShard { retry_after: busy })?,
            Some(root) => self.among_family(root).await?,
        };
        shared.flow.admit(&definition).map_err(StartError::Unavailable)?;
        let Ok(permit) = shared.places.clone().try_acquire_owned() else {
            counter!(names::REFUSED_BUSY).increment(1);
            return Err(StartError::Busy { retry_after: shared.options.busy_retry_after });
        };

        let traceparent = traces::accepted(new.id, definition.name, new.traceparent);
        let (saga, entry) = begin(
            &definition,
            new.id,
            new.root.unwrap_or(new.id),
            new.input,
            traceparent,
            shared.clock.now(),
        );
        let lease = tenure.lease();
        let start = NewSaga {
            scope: new.scope,
            key: new.key,
            request_hash: new.request_hash,
            definition: definition.name.to_owned(),
            version: definition.version,
            started_at_ms: entry.at.0,
        };
        let records = [entry];
        let label = label(&definition, &records);
        let append = append(&definition, &saga, lease, 1, &records, true, Some(start));
        let (channels, live) = channels(0);
        // Entered before it is handed to the writer, so that recovery never takes it for an orphan.
        if !shared.registry.enter(new.id, live.clone()) {
            return Err(StartError::Store(format!("saga {} is in memory already", new.id)));
        }
        shared.registry.lives_under(new.id, lease);
        let (answer, answered) = oneshot::channel();
        shared.writer.submit(Job {
            append,
            urgent: true,
            durable: channels.durable.clone(),
            answer: Some(answer),
            label,
        });
        counter!(names::STARTED, "definition" => definition.name).increment(1);
        let runner = Runner::new(shared.clone(), definition, saga, tenure.clone(), channels);
        self.spawn(runner, false, Some(permit));

        let answered = tokio::select! {
            biased;
            answered = answered => answered,
            () = tenure.over() => {
                return Err(StartError::Store("this node lost the shard while it was written".into()));
            }
        };
        match answered {
            Ok(Ok(())) => {
                shared.room.found();
                Ok(Started::New(new.id, live.follow))
            }
            Ok(Err(Lost::KeyTaken(row))) => existing(row, &new.request_hash),
            Ok(Err(Lost::Full)) => {
                shared.room.lacked(shared.clock.now());
                Err(StartError::Full)
            }
            Ok(Err(Lost::Fenced)) => Err(StartError::NoShard { retry_after: busy }),
            Ok(Err(Lost::Refused(why))) => Err(StartError::Store(why)),
            Err(_) => Err(StartError::Store("the store is gone".into())),
        }
    }

    /// The tenure of the shard in which a family lives: where its root does, so that the events of all of it leave in one
    /// order. A root that is forgotten ended longer ago than the retention, and its events are out: then a shard follows
    /// from its id alone, the same at every node.
    async fn among_family(&self, root: Uuid) -> Result<Tenure, StartError> {
        let stored =
            self.shared.store.load(root).await.map_err(|error| StartError::Store(error.to_string()))?;
        let shard = match stored {
            Some(stored) => stored.row.shard,
            None => {
                let (_, low) = root.as_u64_pair();
                u16::try_from(low % u64::from(self.shared.store.shards().max(1))).unwrap_or(0)
            }
        };
        self.shared.shards.of(shard).map_err(|home| match home {
            Home::There(owner) => StartError::Elsewhere { owner: Some(owner) },
            Home::Here | Home::Nowhere => {
                self.shared.shards.look.notify_one();
                StartError::Elsewhere { owner: None }
            }
        })
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

    /// A saga's durable state.
    pub async fn view(&self, id: Uuid) -> Result<Option<SagaView>, ReadError> {
        Ok(self.history(id).await?.map(|history| history.view))
    }

    /// A saga's durable state with every record.
    pub async fn history(&self, id: Uuid) -> Result<Option<History>, ReadError> {
        match self.shared.store.load(id).await? {
            None => Ok(None),
            Some(stored) => self.shared.read(id, &stored.records).map(Some),
        }
    }

    /// As [`Engine::history`], with the volatile part of the state too: what the saga's task here is doing, or the
    /// doubts of an owner that knows nothing of calls, if it has none. For people who want to know why it waits.
    pub async fn inspect(&self, id: Uuid) -> Result<Option<History>, ReadError> {
        let Some(mut history) = self.history(id).await? else { return Ok(None) };
        let working = match self.shared.registry.get(id) {
            None => None,
            Some(live) => {
                let (answer, answered) = oneshot::channel();
                let _ = live.commands.send(Command::Show(answer));
                answered.await.ok()
            }
        };
        history.view.fill(working.as_ref());
        Ok(Some(history))
    }

    /// Follows a saga that is in memory.
    pub fn follow(&self, id: Uuid) -> Option<Follow> {
        self.shared.registry.get(id).map(|live| live.follow)
    }

    /// Waits until a saga ends or parks, at most so long, and answers its durable state then.
    pub async fn wait_final(&self, id: Uuid, patience: Duration) -> Result<Option<SagaView>, ReadError> {
        if let Some(follow) = self.follow(id)
            && let Some(view) = follow.rested(patience).await
        {
            return Ok(Some(view));
        }
        self.view(id).await
    }

    /// Turns a saga back. Returns when that is durable.
    pub async fn cancel(&self, id: Uuid, why: &str) -> Result<(), CancelError> {
        self.deliver(id, Event::Cancel { why: why.to_owned() }, None).await
    }

    /// A hint that something a waiting saga waits for may have happened.
    pub async fn wake(&self, id: Uuid) -> Result<(), CancelError> {
        self.deliver(id, Event::Wake, None).await
    }

    /// Sets what is parked going again. Returns when that is durable.
    pub async fn resume(&self, id: Uuid, why: &str) -> Result<(), CancelError> {
        self.deliver(id, Event::Resume { why: why.to_owned() }, None).await
    }

    /// As [`Engine::resume`], if record number `seq`, which a person decided it on, is still the last one.
    pub async fn resume_at(&self, id: Uuid, seq: u32, why: &str) -> Result<(), CancelError> {
        self.deliver(id, Event::Resume { why: why.to_owned() }, Some(seq)).await
    }

    /// Has what is not done of a saga returned instead, if record number `seq`, which a person decided it on, is still the
    /// last one. When this returns, it is durable that the saga makes no call any more; `return_saga` starts by itself
    /// from then on, at this node or at whichever has the shard, and the saga completes when it has.
    pub async fn make_good_at(
        &self,
        id: Uuid,
        seq: u32,
        why: &str,
        return_saga: Uuid,
    ) -> Result<(), CancelError> {
        self.deliver(id, Event::MakeGood { why: why.to_owned(), return_saga }, Some(seq)).await
    }

    /// Writes down what a person should see of a saga that has not ended; the same text once. Returns when it is durable.
    pub async fn note(&self, id: Uuid, text: &str) -> Result<(), CancelError> {
        self.deliver(id, Event::Note { text: text.to_owned() }, None).await
    }

    pub(crate) async fn deliver(&self, id: Uuid, event: Event, seen: Option<u32>) -> Result<(), CancelError> {
        // A saga may leave memory between the look and the send; then it is looked for in the store again.
        loop {
            if self.shared.stopping.is_cancelled() {
                return Err(CancelError::ShuttingDown);
            }
            let (answer, answered) = oneshot::channel();
            let command = Command::Take(event.clone(), seen, answer);
            match self.shared.registry.get(id) {
                Some(live) => {
                    let _ = live.commands.send(command);
                }
                None => {
                    let Some(stored) = self.shared.store.load(id).await.map_err(ReadError::from)? else {
                        return Err(CancelError::NotFound);
                    };
                    // Where it lives is asked before what it says: the owner may have a definition that this node lacks.
                    match self.shared.shards.home(stored.row.shard) {
                        _ if stored.row.status.is_final() => {}
                        Home::Here => {}
                        Home::There(owner) => return Err(CancelError::Elsewhere { owner: Some(owner) }),
                        Home::Nowhere => {
                            self.shared.shards.look.notify_one();
                            return Err(CancelError::Elsewhere { owner: None });
                        }
                    }
                    if let Some(end) = self.shared.read(id, &stored.records)?.view.state.end {
                        return Err(CancelError::AlreadyFinal(end));
                    }
                    self.adopt(id, Some(command)).await;
                }
            }
            match answered.await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(NotTaken::MovedOn { now })) => {
                    return Err(CancelError::MovedOn { decided_on: seen.unwrap_or(now), now });
                }
                Ok(Err(NotTaken::Illegal(Illegal::PivotBegun))) => return Err(CancelError::TooLate),
                Ok(Err(NotTaken::Illegal(Illegal::Ended(end)))) => {
                    return Err(CancelError::AlreadyFinal(end));
                }
                Ok(Err(NotTaken::Illegal(illegal))) => return Err(CancelError::Illegal(illegal)),
                Ok(Err(NotTaken::Failed(why))) => return Err(CancelError::Failed(why)),
                Err(_) => tokio::task::yield_now().await,
            }
        }
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

impl Shared {
    pub(crate) fn read(&self, id: Uuid, records: &[Bytes]) -> Result<History, ReadError> {
        let mut entries = Vec::with_capacity(records.len());
        for (i, bytes) in records.iter().enumerate() {
            let seq = u32::try_from(i + 1).unwrap_or(u32::MAX);
            let entry = codec::decode(seq, bytes);
            entries.push(entry.map_err(|e| ReadError::Record { saga: id, seq: i + 1, why: e.why })?);
        }
        let start = match entries.first().map(|entry| &entry.record) {
            Some(backstitch_core::Record::Started(start)) => start,
            _ => return Err(ReadError::Fold { saga: id, source: backstitch_core::FoldError::NotStarted }),
        };
        let definition = self.catalog.pinned(&start.definition, start.version, &start.fingerprint);
        let definition = definition.map_err(|source| ReadError::Definition { saga: id, source })?.clone();
        let state = backstitch_core::Saga::replay(&definition, id, &entries);
        let state = state.map_err(|source| ReadError::Fold { saga: id, source })?;
        Ok(History { view: SagaView { definition, state }, records: entries })
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

fn existing(row: KeyRow, request_hash: &[u8; 32]) -> Result<Started, StartError> {
    match row.saga {
        None => Err(StartError::KeyBlocked),
        Some(saga) if row.request_hash == *request_hash => Ok(Started::Existing(saga)),
        Some(saga) => Err(StartError::KeyReused { saga }),
    }
}
