//! What is asked of a saga that has been started.

use backstitch_core::{End, Event, Illegal};
use backstitch_store::Member;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::engine::Engine;
use crate::registry::{Command, NotTaken};
use crate::shards::Home;
use crate::view::ReadError;

/// Why what was asked of a saga (to turn back, to wake up, to resume, to be noted or made good) was not done.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
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
    /// Turns a saga back. Returns when that is durable.
    pub async fn cancel(&self, id: Uuid, why: &str) -> Result<(), VerbError> {
        self.deliver(id, Event::Cancel { why: why.to_owned() }, None).await
    }

    /// A hint that something a waiting saga waits for may have happened.
    pub async fn wake(&self, id: Uuid) -> Result<(), VerbError> {
        self.deliver(id, Event::Wake, None).await
    }

    /// A participant has come to know more: whatever of the saga waits for it, however, is asked now.
    pub async fn available(&self, id: Uuid, participant: &str) -> Result<(), VerbError> {
        self.deliver(id, Event::Wake, None).await?;
        self.deliver(id, Event::Available { participant: participant.to_owned() }, None).await
    }

    /// Sets what is parked going again. Returns when that is durable.
    pub async fn resume(&self, id: Uuid, why: &str) -> Result<(), VerbError> {
        self.deliver(id, Event::Resume { why: why.to_owned() }, None).await
    }

    /// As [`Engine::resume`], if record number `seq`, which a person decided it on, is still the last one.
    pub async fn resume_at(&self, id: Uuid, seq: u32, why: &str) -> Result<(), VerbError> {
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
    ) -> Result<(), VerbError> {
        self.deliver(id, Event::MakeGood { why: why.to_owned(), return_saga }, Some(seq)).await
    }

    /// Writes down what a person should see of a saga that has not ended; the same text once. Returns when it is durable.
    pub async fn note(&self, id: Uuid, text: &str) -> Result<(), VerbError> {
        self.deliver(id, Event::Note { text: text.to_owned() }, None).await
    }

    pub(crate) async fn deliver(&self, id: Uuid, event: Event, seen: Option<u32>) -> Result<(), VerbError> {
        // A saga may leave memory between the look and the send; then it is looked for in the store again.
        loop {
            if self.shared.stopping.is_cancelled() {
                return Err(VerbError::ShuttingDown);
            }
            let (answer, answered) = oneshot::channel();
            let command = Command::Take(event.clone(), seen, answer);
            match self.shared.registry.get(id) {
                Some(live) => {
                    let _ = live.commands.send(command);
                }
                None => {
                    let Some(stored) = self.shared.store.load(id).await.map_err(ReadError::from)? else {
                        return Err(VerbError::NotFound);
                    };
                    // Where it lives is asked before what it says: the owner may have a definition that this node lacks.
                    match self.shared.shards.home(stored.row.shard) {
                        _ if stored.row.status.is_final() => {}
                        Home::Here => {}
                        Home::There(owner) => return Err(VerbError::Elsewhere { owner: Some(owner) }),
                        Home::Nowhere => {
                            self.shared.shards.look.notify_one();
                            return Err(VerbError::Elsewhere { owner: None });
                        }
                    }
                    if let Some(end) = self.shared.read(id, &stored.records)?.view.state.end {
                        return Err(VerbError::AlreadyFinal(end));
                    }
                    self.adopt(id, Some(command)).await;
                }
            }
            match answered.await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(NotTaken::MovedOn { now })) => {
                    return Err(VerbError::MovedOn { decided_on: seen.unwrap_or(now), now });
                }
                Ok(Err(NotTaken::Illegal(Illegal::PivotBegun))) => return Err(VerbError::TooLate),
                Ok(Err(NotTaken::Illegal(Illegal::Ended(end)))) => {
                    return Err(VerbError::AlreadyFinal(end));
                }
                Ok(Err(NotTaken::Illegal(illegal))) => return Err(VerbError::Illegal(illegal)),
                Ok(Err(NotTaken::Failed(why))) => return Err(VerbError::Failed(why)),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}
