//! Verbs for a saga that another node has, and sagas of a family that another node has: they are handed on to that node.
//!
//! Reading needs nobody, since every node reads the same store. A verb is done where the saga's task is; whoever was
//! asked tries here, asks the owner by its gRPC API if it is elsewhere, and bridges the moment in which a shard changes
//! hands, or in which its owner is frozen. What was handed on is not handed on again by who got it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backstitch_engine::{StartError, Started, VerbError};
use backstitch_proto::checkout::checkouts_client::CheckoutsClient;
use backstitch_proto::checkout::{CancelCheckoutRequest, GetCheckoutRequest};
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{
    MakeGoodRequest, NoteSagaRequest, ResumeSagaRequest, SagaDetail, WakeSagaRequest,
};
use backstitch_store::Member;
use tokio::time::Instant;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::app::App;
use crate::clients::channel;
use crate::faces::grpc::problem_of;
use crate::failures;
use crate::problem::Problem;

/// On a verb that a node hands on: it is not handed on again.
const HANDED_ON: &str = "x-backstitch-handed-on";
/// On a cancel that a node hands on: why.
const CANCELLED_BY: &str = "x-backstitch-cancelled-by";

/// How long a shard that changes hands is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks at who has it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long the owner may take for one attempt: its record has to be durable. Then somebody else may have it.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long an owner that is there and does not answer is asked again.
const DEADLINE: Duration = Duration::from_secs(10);

/// Who asks for a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A client or an operator.
    Client,
    /// Another node, which takes this one for the owner.
    Node,
}

impl Asker {
    /// Who sent a request with this metadata.
    pub(crate) fn of(metadata: &MetadataMap) -> Self {
        if metadata.contains_key(HANDED_ON) { Asker::Node } else { Asker::Client }
    }
}

/// Why a checkout is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelledBy {
    Customer,
    /// Its idempotency key was given up.
    KeyGivenUp,
}

impl CancelledBy {
    const KEY: &'static str = "key";

    /// As a request with this metadata says.
    pub(crate) fn of(metadata: &MetadataMap) -> Self {
        match metadata.get(CANCELLED_BY) {
            Some(value) if value == Self::KEY => CancelledBy::KeyGivenUp,
            _ => CancelledBy::Customer,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            CancelledBy::Customer => "cancelled by the customer",
            CancelledBy::KeyGivenUp => "its idempotency key was given up",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Cancel(CancelledBy),
    Wake,
    /// A participant has come to know more.
    Available {
        participant: String,
    },
    Resume {
        reason: String,
        seq: u32,
    },
    Note {
        text: String,
    },
    /// The return's id is drawn by who has the saga; it goes on record with the decision.
    MakeGood {
        reason: String,
        seq: u32,
    },
}

/// Why a verb was not done, or a saga not started.
pub(crate) enum NotDone<E = VerbError> {
    /// As this node says.
    Here(E),
    /// As the owner says, or because it cannot be asked.
    There(Problem),
}

impl Verb {
    async fn here(&self, app: &App, id: Uuid) -> Result<(), VerbError> {
        match self {
            Verb::Cancel(by) => app.engine.cancel(id, by.reason()).await,
            Verb::Wake => app.engine.wake(id).await,
            Verb::Available { participant } => app.engine.available(id, participant).await,
            Verb::Note { text } => app.engine.note(id, text).await,
            Verb::MakeGood { reason, seq } => app.engine.make_good_at(id, *seq, reason, Uuid::now_v7()).await,
            Verb::Resume { reason, seq } => app.engine.resume_at(id, *seq, reason).await,
        }
    }

    async fn there(&self, owner: Channel, id: Uuid) -> Result<(), Status> {
        let (id, mut checkouts) = (id.to_string(), CheckoutsClient::new(owner.clone()));
        match self {
            Verb::Cancel(by) => {
                let mut request = handed_on(CancelCheckoutRequest { checkout_id: id });
                if *by == CancelledBy::KeyGivenUp {
                    let key = MetadataValue::from_static(CancelledBy::KEY);
                    request.metadata_mut().insert(CANCELLED_BY, key);
                }
                checkouts.cancel(request).await.map(drop)
            }
            Verb::Wake => checkouts.wake(handed_on(GetCheckoutRequest { checkout_id: id })).await.map(drop),
            Verb::Available { participant } => {
                let request = WakeSagaRequest { saga_id: id, participant: participant.clone() };
                OperatorClient::new(owner).wake_saga(handed_on(request)).await.map(drop)
            }
            Verb::Note { text } => {
                let request = NoteSagaRequest { saga_id: id, text: text.clone() };
                OperatorClient::new(owner).note_saga(handed_on(request)).await.map(drop)
            }
            Verb::MakeGood { reason, seq } => {
                let seq = i32::try_from(*seq).unwrap_or(i32::MAX);
                let request = MakeGoodRequest { saga_id: id, reason: reason.clone(), seq };
                OperatorClient::new(owner).make_good(handed_on(request)).await.map(drop)
            }
            Verb::Resume { reason, seq } => {
                // No journal is that long; if one were, the owner would say that it moved on.
                let seq = i32::try_from(*seq).unwrap_or(i32::MAX);
                let request = ResumeSagaRequest { saga_id: id, reason: reason.clone(), seq };
                OperatorClient::new(owner).resume_saga(handed_on(request)).await.map(drop)
            }
        }
    }
}

/// A request of this node's to another one.
pub(crate) fn handed_on<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ATTEMPT);
    request.metadata_mut().insert(HANDED_ON, MetadataValue::from_static("1"));
    request
}

/// The other nodes, as they are called.
#[derive(Default)]
pub(crate) struct Peers {
    channels: Mutex<HashMap<String, Channel>>,
}

impl Peers {
    /// None if a node does not say where it is called, or not in a way that can be.
    fn at(&self, address: &str) -> Option<Channel> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = channels.get(address) {
            return Some(known.clone());
        }
        let new = channel(address).ok()?;
        channels.insert(address.to_owned(), new.clone());
        Some(new)
    }
}

/// Has a verb done, wherever the saga is. When this returns, what follows from it is durable.
pub(crate) async fn done(app: &App, id: Uuid, verb: &Verb, asker: Asker) -> Result<(), NotDone> {
    bridged(app, asker, &Asked { id, verb }).await
}

/// What came of trying something at this node.
pub(crate) enum Here<T, E> {
    Done(T),
    NotDone(E),
    /// It is another node's to do, as far as is known of which.
    Elsewhere(Option<Member>),
}

/// Something that is done by who has a shard. Safe to repeat, here and there.
pub(crate) trait Act: Sync {
    type Done: Send;
    type Error: Send;

    /// Tries it at this node.
    fn here(&self, app: &App) -> impl Future<Output = Here<Self::Done, Self::Error>> + Send;

    /// Asks another node for it.
    fn there(&self, owner: Channel) -> impl Future<Output = Result<Self::Done, Status>> + Send;
}

struct Asked<'a> {
    id: Uuid,
    verb: &'a Verb,
}

impl Act for Asked<'_> {
    type Done = ();
    type Error = VerbError;

    async fn here(&self, app: &App) -> Here<(), VerbError> {
        match self.verb.here(app, self.id).await {
            Err(VerbError::Elsewhere { owner }) => Here::Elsewhere(owner),
            Err(error) => Here::NotDone(error),
            Ok(()) => Here::Done(()),
        }
    }

    async fn there(&self, owner: Channel) -> Result<(), Status> {
        self.verb.there(owner, self.id).await
    }
}

/// A saga of a family, to be started where that lives.
pub(crate) fn begun(started: Result<Started, StartError>) -> Here<Started, StartError> {
    match started {
        Err(StartError::Elsewhere { owner }) => Here::Elsewhere(owner),
        Err(error) => Here::NotDone(error),
        Ok(started) => Here::Done(started),
    }
}

/// Does something here, or where it has to be done; and bridges the moment in which that changes.
pub(crate) async fn bridged<A: Act>(app: &App, asker: Asker, act: &A) -> Result<A::Done, NotDone<A::Error>> {
    let begun = Instant::now();
    loop {
        let mut patience = PATIENCE;
        let owner = match act.here(app).await {
            Here::Done(done) => return Ok(done),
            Here::NotDone(error) => return Err(NotDone::Here(error)),
            Here::Elsewhere(owner) => owner,
        };
        if asker == Asker::Node {
            return Err(NotDone::There(failures::elsewhere()));
        }
        if let Some(owner) = owner.and_then(|owner| app.peers.at(&owner.address)) {
            // Around the connecting as well, which the request's own deadline does not bound.
            match tokio::time::timeout(ATTEMPT, act.there(owner)).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(status)) if is_silence(&status) => patience = DEADLINE,
                Ok(Err(status)) if is_gone(&status) => {}
                Ok(Err(status)) => return Err(NotDone::There(problem_of(&status))),
                Err(_) => patience = DEADLINE,
            }
        }
        // Repeating is safe: a verb says again what it said, and a note is written once; or it was decided on a record that is the last one still.
        if begun.elapsed() >= patience || app.stopping.is_cancelled() {
            return Err(NotDone::There(failures::elsewhere()));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The saga that another node says it has started.
pub(crate) fn started(detail: &SagaDetail) -> Result<Started, Status> {
    let id = detail.summary.as_ref().and_then(|summary| Uuid::parse_str(&summary.saga_id).ok());
    id.map(Started::Existing).ok_or_else(|| Status::internal("the node that was asked names no saga"))
}

/// Whether nobody answered in time.
fn is_silence(status: &Status) -> bool {
    matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled)
        && status.get_details_error_info().is_none()
}

/// Whether nobody is there, or somebody who does not have the saga (any more). What a transport says carries no
/// details; what a node says does.
fn is_gone(status: &Status) -> bool {
    match status.get_details_error_info() {
        None => matches!(status.code(), Code::Unavailable | Code::Unknown),
        Some(info) => {
            let part = info.metadata.get("part");
            status.code() == Code::Unavailable && part.is_none_or(|part| part == failures::OWNER)
        }
    }
}
