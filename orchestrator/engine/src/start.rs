//! Starting a saga.

use std::time::Duration;

use backstitch_core::begin;
use backstitch_store::{KeyRow, Member, NewSaga};
use bytes::Bytes;
use metrics::counter;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::engine::{Engine, channels};
use crate::flow::Trouble;
use crate::follow::Follow;
use crate::label::label;
use crate::metrics as names;
use crate::runner::{Runner, append};
use crate::shards::{Home, Tenure};
use crate::traces;
use crate::writer::{Job, Lost};

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

impl Engine {
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
}

fn existing(row: KeyRow, request_hash: &[u8; 32]) -> Result<Started, StartError> {
    match row.saga {
        None => Err(StartError::KeyBlocked),
        Some(saga) if row.request_hash == *request_hash => Ok(Started::Existing(saga)),
        Some(saga) => Err(StartError::KeyReused { saga }),
    }
}
