//! A state of the world: what is durable where, what would be lost, and what is on its way.

use backstitch_core::Op;
use participant_kit::barrier::table::{Aim, RowState};

use crate::laws::Law;
use crate::setup::Faults;
use crate::table::{Answer, Asked, Journal, Known};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) nodes: Vec<Node>,
    pub(crate) store: Store,
    /// One per saga and step.
    pub(crate) places: Vec<Place>,
    /// Sorted; what lost its sender is there once.
    pub(crate) packets: Vec<Packet>,
    /// Sorted.
    pub(crate) replies: Vec<Reply>,
    pub(crate) clients: Vec<Client>,
    pub(crate) relay: Relay,
    /// One per saga: the last that was started.
    pub(crate) returns: Vec<Return>,
    /// Units that no saga has taken.
    pub(crate) stock: u8,
    /// What may still go wrong.
    pub(crate) faults: Faults,
    pub(crate) broken: Option<Law>,
}

/// An orchestrator. Everything here is lost when it dies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// Zero: it owns nothing and knows it.
    pub(crate) epoch: u8,
    /// The lease is taken, the journals are not read yet.
    pub(crate) reading: bool,
    pub(crate) sagas: Vec<Option<Own>>,
    /// Events that a mutant writes after their commit; else none.
    pub(crate) unwritten: Vec<Row>,
}

/// A saga at an orchestrator that owns it, or believes so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Own {
    pub(crate) known: Known,
    /// All that it decided.
    pub(crate) journal: Journal,
    /// So many records of it were acknowledged by the store.
    pub(crate) durable: u8,
    /// Calls that wait for a record.
    pub(crate) queue: Vec<Asked>,
    pub(crate) seeing: Seeing,
}

/// Whether an owner sees to the return that makes its saga good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Seeing {
    #[default]
    Nothing,
    /// Starts the one that is on record, if it is not there, and tells its end.
    ItsReturn,
    /// Starts another one, as only a mutant does.
    Another,
}

/// The saga that makes one good. Of its own laws nothing is told here: it is a saga like any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Return {
    /// Which decision it follows; zero: there is none.
    pub(crate) nth: u8,
    pub(crate) progress: Progress,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    /// What the pivot took is not given back, and may never be.
    #[default]
    Begun,
    /// It is, and the rest follows.
    Giving,
    Completed,
    TakenBack,
}

impl Return {
    pub(crate) fn is_open(&self) -> bool {
        self.nth > 0 && matches!(self.progress, Progress::Begun | Progress::Giving)
    }
}

/// The database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) epoch: u8,
    pub(crate) journals: Vec<Option<Journal>>,
    /// The saga that the idempotency key belongs to.
    pub(crate) key: Option<u8>,
    /// Outbox rows in the order of their numbers: of which saga, for which record.
    pub(crate) outbox: Vec<Row>,
    /// The watermark of the lane.
    pub(crate) marked: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) saga: u8,
    pub(crate) seq: u8,
}

/// What a participant has of one step of one saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) row: RowState,
    /// What was asked first; zero: nothing.
    pub(crate) request: u8,
    pub(crate) effects: u8,
    pub(crate) taken_back: u8,
    /// How many answers a read without a barrier gave.
    pub(crate) answered: u8,
    /// The provider's object can never have its effect any more.
    pub(crate) cancelled: bool,
    /// A process that died had asked the provider; its request may still arrive.
    pub(crate) under_way: bool,
    /// The provider waits for the customer.
    pub(crate) waits: bool,
    /// A return gave back what was done here; a do that comes later does nothing.
    pub(crate) returned: bool,
    /// Lost when the participant dies.
    pub(crate) task: Option<Task>,
    /// For the laws: a do was sent.
    pub(crate) asked: bool,
    /// For the laws: somebody was told that the effect is gone or never happens.
    pub(crate) promised: bool,
}

impl Place {
    pub(crate) const NEW: Self = Self {
        row: RowState::Absent,
        request: 0,
        effects: 0,
        taken_back: 0,
        answered: 0,
        cancelled: false,
        under_way: false,
        waits: false,
        returned: false,
        task: None,
        asked: false,
        promised: false,
    };

    pub(crate) fn stands(&self) -> bool {
        self.effects > self.taken_back
    }

    /// Its participant has something to do, and does it by itself.
    pub(crate) fn is_open(&self) -> bool {
        self.task.is_some() || !self.waits && matches!(self.row, RowState::Doing | RowState::Closing(_))
    }
}

/// Somebody is at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    /// Who waits for it.
    pub(crate) packet: Packet,
    pub(crate) work: Work,
    /// What the provider said; nothing yet.
    pub(crate) found: Option<Found>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// Have the effect.
    Begin,
    /// See how it stands.
    Read,
    Settle(Aim),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Found {
    Effect,
    /// And it is impossible from now on.
    Nothing,
    TakenBack,
    /// The customer has to act first.
    Waits,
}

/// A call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Packet {
    pub(crate) place: u8,
    pub(crate) op: Op,
    pub(crate) request: u8,
    /// Zero: whoever sent it is dead.
    pub(crate) epoch: u8,
    pub(crate) attempt: u8,
}

/// An answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reply {
    pub(crate) epoch: u8,
    pub(crate) place: u8,
    pub(crate) op: Op,
    pub(crate) attempt: u8,
    pub(crate) answer: Answer,
}

/// Somebody who submits the idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) body: u8,
    pub(crate) told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Nothing,
    /// Its saga waits to be durable.
    Waits,
    Accepted(u8),
    OtherBody,
}

/// Moves outbox rows to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Relay {
    /// Lost when it dies: the row whose mark is due.
    pub(crate) to_mark: u8,
    /// The broker's: bits of the rows that have appeared.
    pub(crate) appeared: u16,
}

/// Adds to what is sorted.
pub(crate) fn put<T: Ord>(sorted: &mut Vec<T>, item: T) {
    let place = sorted.partition_point(|other| *other < item);
    sorted.insert(place, item);
}

/// Takes one of them away.
pub(crate) fn take<T: PartialEq>(sorted: &mut Vec<T>, item: &T) {
    if let Some(place) = sorted.iter().position(|other| other == item) {
        sorted.remove(place);
    }
}
