//! What can go wrong at a call, and at a commit.

use std::fmt;

use backstitch_core::{Class, Op, StepId};
use participant_kit::barrier::table::RowState;

use super::samples::Stage;

/// Something that goes wrong once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The call arrives twice, and is answered twice.
    Twice,
    /// A copy of the call arrives once more, after the end of the saga.
    Again,
    /// The call is lost on the way.
    Lost,
    /// The call is given up, and arrives after the end of the saga.
    Delayed,
    /// A copy of the call arrives once more, after the next one of its step.
    Echoed,
    /// The call has its effect; the answer is lost.
    Unanswered,
    /// The answer comes after everything else that can happen meanwhile.
    Slow,
    /// Not in this attempt.
    NotNow,
    /// The business says no.
    Refused,
    /// The participant is misconfigured: no effect, and a person is needed.
    Broken,
    /// The call has its effect; the answer makes no sense.
    Garbled,
    /// Nothing arrives and nobody answers until the budget of the step is spent.
    Away,
    /// The call has its effect; then nobody answers until the budget of the step is spent.
    Silent,
    /// The customer is waited for, and finishes.
    Waits,
    /// The customer is waited for, and never finishes.
    Forsaken,
    /// The participant dies between its intent and its provider.
    DiesBefore,
    /// The participant dies between its provider and its record.
    DiesAfter,
    /// Somebody cancels the saga while the call is out, or while nothing is.
    Cancelled,
    /// The saga's deadline passes while the call is out, or while nothing is.
    Deadline,
    /// The orchestrator dies; another takes over from what is durable.
    Crash(Moment),
}

/// When the orchestrator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    /// The call is decided and not sent.
    BeforeSend,
    /// The call has its effect; nobody hears the answer.
    AfterEffect,
    /// The answer is heard, and what may ride on it is sent; nothing of it is durable.
    AfterReply,
    /// The answer is heard; its records are not durable.
    BeforeCommit,
    /// The answer's records are durable; nothing that follows from them is sent.
    AfterCommit,
    /// Everything up to a record, and not the record, is durable; all that may ride is sent and has its effect.
    BeforeRecord,
}

impl Fault {
    /// Changes nothing about how the saga ends.
    pub(super) fn is_invisible(self) -> bool {
        matches!(self, Fault::Twice | Fault::Again | Fault::Echoed | Fault::Slow | Fault::Crash(_))
    }

    /// Costs time, of which a step has only so much.
    pub(super) fn costs_time(self) -> bool {
        use Fault::*;
        matches!(self, Lost | Delayed | Unanswered | NotNow | DiesBefore | DiesAfter)
    }

    /// May need a person.
    pub(super) fn may_park(self) -> bool {
        matches!(self, Fault::Broken | Fault::Garbled | Fault::Away | Fault::Silent | Fault::Forsaken)
    }
}

/// Every fault that can strike a call of `op` to a step whose row is in this state.
pub(super) fn faults_of(stage: &Stage<'_>, step: StepId, op: Op, row: RowState) -> Vec<Fault> {
    use Fault::*;
    use Moment::*;
    let (class, sample) = (stage.definition.step(step).class, stage.step(step));
    let mut faults = vec![
        Twice,
        Again,
        Echoed,
        Lost,
        Delayed,
        Unanswered,
        Slow,
        NotNow,
        Broken,
        Garbled,
        Away,
        Silent,
        Crash(BeforeSend),
        Crash(AfterEffect),
        Crash(AfterReply),
        Crash(BeforeCommit),
        Crash(AfterCommit),
    ];
    let begins = op == Op::Do && row == RowState::Absent;
    // Only before and at the pivot may a participant say no.
    let may_refuse = class != Class::Retriable;
    if op == Op::Do {
        faults.extend([Cancelled, Deadline]);
    }
    if begins && may_refuse {
        faults.push(Refused);
    }
    if begins && sample.pending.is_some() {
        faults.extend([Waits, Forsaken]);
    }
    // What was begun outside and not reached can only be found refused, so that a step which cannot refuse never dies
    // there in a way that its participant does not make good by itself.
    if sample.outside && (begins && may_refuse || op != Op::Do && row == RowState::Done) {
        faults.push(DiesBefore);
    }
    if sample.outside && (begins || op != Op::Do && row == RowState::Done) {
        faults.push(DiesAfter);
    }
    faults
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Twice => "arrives twice",
            Fault::Again => "a copy arrives again after the end",
            Fault::Lost => "is lost on the way",
            Fault::Delayed => "is given up, and arrives after the end",
            Fault::Echoed => "a copy arrives again after the next one",
            Fault::Unanswered => "takes effect, the answer is lost",
            Fault::Slow => "is answered after everything else",
            Fault::NotNow => "is answered not now",
            Fault::Refused => "is refused",
            Fault::Broken => "is answered broken",
            Fault::Garbled => "takes effect, the answer makes no sense",
            Fault::Away => "is lost, and so is every repetition within the budget",
            Fault::Silent => "takes effect, and nobody answers within the budget",
            Fault::Waits => "waits for the customer, who finishes",
            Fault::Forsaken => "waits for the customer, who never finishes",
            Fault::DiesBefore => "the participant dies before it reaches its provider",
            Fault::DiesAfter => "the participant dies after it reached its provider",
            Fault::Cancelled => "the saga is cancelled meanwhile",
            Fault::Deadline => "the saga's deadline passes meanwhile",
            Fault::Crash(moment) => return write!(f, "the orchestrator dies {moment}"),
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Moment::BeforeSend => "before it is sent",
            Moment::AfterEffect => "after its effect",
            Moment::AfterReply => "after its answer and what rides on it",
            Moment::BeforeCommit => "before its answer is committed",
            Moment::AfterCommit => "after its answer is committed",
            Moment::BeforeRecord => "before the record is durable",
        })
    }
}
