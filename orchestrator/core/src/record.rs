//! The entries of a saga's journal.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use crate::definition::{StepId, StepSet};
use crate::hidden::Instructions;
use crate::outcome::Refusal;
use crate::saga::Start;
use crate::time::Timestamp;

/// A record and when it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// By the clock of the orchestrator that decided it.
    pub at: Timestamp,
    /// What was decided.
    pub record: Record,
}

/// One fact about a saga. State is the fold of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// Always first: accepted, with its whole input.
    Started(Box<Start>),
    /// A step happened.
    StepDone {
        /// Which.
        step: StepId,
        /// The encoded answer.
        output: Bytes,
        /// Calls it took this owner.
        attempts: u32,
        /// What it gave cannot be relied on after this: an offer, a hold.
        valid_until: Option<Timestamp>,
    },
    /// A step surely never happened and never will.
    StepRefused {
        /// Which.
        step: StepId,
        /// Why.
        refusal: Refusal,
        /// Calls it took this owner.
        attempts: u32,
        /// False when its guard refused and nothing was sent.
        called: bool,
    },
    /// The participant accepted and waits for the customer.
    StepWaiting {
        /// Which.
        step: StepId,
        /// Encoded instructions for the customer.
        next_action: Instructions,
        /// Give up then.
        until: Timestamp,
    },
    /// The pivot is about to be called: from here on the saga does not turn back by guess.
    PivotIntent,
    /// A doubt about a step is being settled; no do of it is sent any more.
    CloseIntent {
        /// Which.
        step: StepId,
    },
    /// The one-way change of direction; no forward call is sent any more.
    TurnedBack {
        /// Why.
        cause: Cause,
    },
    /// A step was taken back, or made sure never to happen.
    UndoDone {
        /// Which.
        step: StepId,
        /// Calls it took this owner.
        attempts: u32,
    },
    /// A step waits for a person.
    StepParked {
        /// Which.
        step: StepId,
        /// Why.
        why: String,
        /// What has to change before it makes sense to go on.
        by: ParkedBy,
        /// Calls that this owner made of it.
        attempts: u32,
    },
    /// The undo of a step waits for a person.
    UndoParked {
        /// Which.
        step: StepId,
        /// Why.
        why: String,
        /// What has to change before it makes sense to go on.
        by: ParkedBy,
        /// Calls that this owner made of its undo.
        attempts: u32,
    },
    /// The saga as a whole waits for a person: running it failed, or its journal could not be read.
    Poisoned {
        /// What failed.
        why: String,
    },
    /// Something that a person should see. Changes nothing.
    Noted {
        /// What was found.
        text: String,
    },
    /// A person decided that what is not done will not be done, and is returned instead: no call is made any more.
    MadeGood {
        /// Their reason.
        why: String,
        /// The return that does it.
        return_saga: Uuid,
    },
    /// The return that was to make it good turned back: it is parked as a whole, for a person to decide again.
    NotMadeGood {
        /// What became of the return.
        why: String,
    },
    /// Every step is done, or a return has made good what is not.
    Completed,
    /// Everything that happened or may have happened is taken back.
    Compensated,
    /// What was parked is set going again.
    Resumed {
        /// What was said: a person's reason, or which participant answers again.
        why: String,
        /// The steps that go on; nothing named: all that is parked, and the saga if it is poisoned.
        only: StepSet,
    },
}

/// What stands in the way of a parked step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParkedBy {
    /// Its participant gave no answer, or none but NotNow, within the budget. Tried again once it answers others.
    Silence,
    /// A bug, a misconfiguration, or an answer that cannot be believed. A person has to look.
    Fault,
}

/// Why a saga turned back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A step was refused; the refusal is the step's own record.
    Refused(StepId),
    /// A step's budget ended without an answer.
    GaveUp {
        /// Which.
        step: StepId,
        /// The last thing that was heard.
        last: String,
    },
    /// The saga's deadline passed before the pivot.
    Deadline,
    /// What a step gave (an offer, a hold) would not last until the pivot is answered.
    Expired(StepId),
    /// The customer did not finish what a step waited for.
    Unfinished(StepId),
    /// Somebody cancelled it.
    Cancelled(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Refused(_) => f.write_str("refused"),
            Cause::GaveUp { last, .. } => write!(f, "no answer in time; last heard: {last}"),
            Cause::Deadline => f.write_str("the deadline passed"),
            Cause::Unfinished(_) => f.write_str("the customer did not finish in time"),
            Cause::Expired(_) => f.write_str("what it gave would not last until the pivot is answered"),
            Cause::Cancelled(why) => write!(f, "cancelled: {why}"),
        }
    }
}

impl Record {
    /// The step it is about, if it is about one.
    pub fn step(&self) -> Option<StepId> {
        match self {
            Record::StepDone { step, .. }
            | Record::StepRefused { step, .. }
            | Record::StepWaiting { step, .. }
            | Record::CloseIntent { step }
            | Record::UndoDone { step, .. }
            | Record::StepParked { step, .. }
            | Record::UndoParked { step, .. }
            | Record::TurnedBack {
                cause:
                    Cause::Refused(step)
                    | Cause::GaveUp { step, .. }
                    | Cause::Expired(step)
                    | Cause::Unfinished(step),
            } => Some(*step),
            _ => None,
        }
    }

    /// Its name, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Record::Started(_) => "started",
            Record::StepDone { .. } => "step_done",
            Record::StepRefused { .. } => "step_refused",
            Record::StepWaiting { .. } => "step_waiting",
            Record::PivotIntent => "pivot_intent",
            Record::CloseIntent { .. } => "close_intent",
            Record::TurnedBack { .. } => "turned_back",
            Record::UndoDone { .. } => "undo_done",
            Record::StepParked { .. } => "step_parked",
            Record::UndoParked { .. } => "undo_parked",
            Record::Poisoned { .. } => "poisoned",
            Record::Noted { .. } => "noted",
            Record::MadeGood { .. } => "made_good",
            Record::NotMadeGood { .. } => "not_made_good",
            Record::Completed => "completed",
            Record::Compensated => "compensated",
            Record::Resumed { .. } => "resumed",
        }
    }
}
