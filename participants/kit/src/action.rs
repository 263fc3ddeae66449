//! What a participant writes for each RPC: an [`Action`] and its [`Undo`] where the effect is in the participant's own
//! database, an [`OutsideAction`] and an [`OutsideUndo`] where it happens at a provider.
//!
//! None of them knows the barrier: whether it runs at all, once, is decided before it is called.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::contract::{CallMeta, Refusal};

use crate::identity::Identity;
use crate::lock::LockKey;
use crate::outcome::OpError;
use crate::tx::Tx;

/// A step whose effect is in the participant's own database: one transaction holds the effect and the barrier row.
#[async_trait]
pub trait Action: Clone + Send + Sync + 'static {
    /// The response message; stored, and answered again to every repetition.
    type Answer: prost::Message + Default + 'static;

    /// The fields that make two requests the same request.
    fn identity(&self) -> Identity;

    /// What the effect contends for. The barrier row is added by the kit.
    fn locks(&self) -> Vec<LockKey>;

    /// Has the effect. May be run several times, of which at most one is committed: everything it does goes through `tx`.
    ///
    /// # Errors
    /// [`OpError::Refused`] is stored for good; every other error stores nothing. A database error is returned at once.
    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError>;
}

/// Takes a local effect back. Built without the action's answer.
#[async_trait]
pub trait Undo: Clone + Send + Sync + 'static {
    /// The response message; always its default.
    type Answer: prost::Message + Default + 'static;

    /// What taking back contends for.
    fn locks(&self) -> Vec<LockKey>;

    /// Takes the effect back; called only when the action is done and not undone yet. Re-runnable like an action.
    ///
    /// # Errors
    /// Whatever the error, nothing is stored and the undo is repeated. An undo cannot refuse.
    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError>;
}

/// What reaching a provider came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Reached<A> {
    /// It happened.
    Done(A),
    /// It did not happen and never will: the provider's object is in a terminal state.
    Refused(Refusal),
    /// The provider waits for the customer; the answer says for what.
    Pending(A),
    /// It may have happened; to be read again.
    Unknown {
        /// Not before so long has passed: the provider is busy, and wants to be asked later.
        after: Duration,
        /// For the log.
        why: String,
    },
    /// The provider's reply makes no sense; a person has to look.
    Broken(String),
}

impl<A> Reached<A> {
    /// [`Unknown`](Self::Unknown), to be read again whenever somebody asks.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { after: Duration::ZERO, why: why.into() }
    }
}

/// A step whose effect happens at an outside provider. Never inside a transaction: [`intend`](Self::intend) commits the
/// row as *doing*, [`reach`](Self::reach) runs in a task that a dropped request cannot cancel, and
/// [`record`](Self::record) settles the row.
#[async_trait]
pub trait OutsideAction: Clone + Send + Sync + 'static {
    /// The response message. Holds Pending answers too.
    type Answer: prost::Message + Default + Clone + 'static;

    /// Names this RPC among the participant's outside ones, e.g. `authorize`. Stored with open rows: never change it.
    fn kind(&self) -> &'static str;

    /// The request as bytes, from which the decoder that [`Resolver::action`](crate::Resolver::action) was given for
    /// [`kind`](Self::kind) builds this action again after a crash. Usually the encoded request message.
    fn encode(&self) -> Vec<u8>;

    /// The fields that make two requests the same request.
    fn identity(&self) -> Identity;

    /// What intending and recording contend for.
    fn locks(&self) -> Vec<LockKey>;

    /// Writes the intent, in the transaction that makes the row *doing*.
    ///
    /// # Errors
    /// [`OpError::Refused`] stores a refusal at once and the provider is never reached; every other error stores nothing.
    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError>;

    /// The first and only sequence of mutations at the provider: create, store its id, confirm. Run at most once per row.
    async fn reach(&self, call: &CallMeta) -> Reached<Self::Answer>;

    /// Asks the provider how it stands, and changes nothing there. Run when the row is found *doing* and nobody reaches.
    async fn read(&self, call: &CallMeta) -> Reached<Self::Answer>;

    /// Settles a doubt: an effect that is there is Done; else the provider's object is cancelled, and only that
    /// terminal state (or that no object was ever confirmed) is Refused. Repeated until it answers one of the two.
    /// `call` is the close, so a key for the provider is derived from ids, not from `call`'s op.
    async fn make_impossible(&self, call: &CallMeta) -> Reached<Self::Answer>;

    /// Writes what was reached (Done, Refused or Pending) to the participant's own tables, in the transaction that
    /// settles the row. Called only when the row is still waiting for it.
    ///
    /// # Errors
    /// Whatever the error, nothing is stored and the row is settled later.
    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<Self::Answer>,
    ) -> Result<(), OpError>;
}

/// What reaching a provider to take an effect back came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The provider's state is terminal and no effect is left, or none ever was.
    Done,
    /// Not yet; to be tried again.
    NotYet {
        /// Not before so long has passed, as of [`Reached::Unknown`].
        after: Duration,
        /// For the log.
        why: String,
    },
    /// The provider's reply makes no sense; a person has to look.
    Broken(String),
}

/// An undo by an outside call: the row is committed as *closing* first, and [`reach`](Self::reach) is repeated until
/// nothing is left at the provider.
#[async_trait]
pub trait OutsideUndo: Clone + Send + Sync + 'static {
    /// The response message; always its default.
    type Answer: prost::Message + Default + 'static;

    /// Names this RPC among the participant's outside undos, e.g. `void`. Stored with open rows: never change it.
    fn kind(&self) -> &'static str;

    /// The request as bytes, for the decoder that [`Resolver::undo`](crate::Resolver::undo) was given.
    fn encode(&self) -> Vec<u8>;

    /// What intending and recording contend for.
    fn locks(&self) -> Vec<LockKey>;

    /// Writes the intent to take back, in the transaction that makes the row *closing* or, if it was closing to settle
    /// a doubt, an undo.
    ///
    /// # Errors
    /// Whatever the error, nothing is stored and the undo is repeated. An undo cannot refuse.
    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError>;

    /// Reads the provider's object first, then takes back what is there and makes impossible what is not. Idempotent.
    async fn reach(&self, call: &CallMeta) -> Undone;

    /// Writes that it is taken back, in the transaction that makes the row *undone*.
    ///
    /// # Errors
    /// Whatever the error, nothing is stored and the row is settled later.
    async fn record(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError>;
}
