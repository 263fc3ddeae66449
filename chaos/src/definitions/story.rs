//! What happened, compactly enough to be kept for every schedule, and how it is told.

use backstitch_core::{Call, Entry, Event, Op, Outcome, StepId};
use participant_kit::barrier::table::RowState;

use super::fault::Fault;
use super::samples::Stage;

/// A fault and where it struck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suffered {
    pub(super) at: Struck,
    /// Which call of that kind, which record, which pause.
    pub(super) nth: usize,
    pub(super) fault: Fault,
}

/// What a fault struck.
#[derive(Clone, Copy, Debug)]
pub(super) enum Struck {
    Call(StepId, Op),
    /// A record on its way to the disk.
    Record,
    /// A time in which nothing is out, and something waits for its next attempt.
    Pause,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line {
    /// The fault of this number, from 1.
    Struck {
        fault: usize,
    },
    Owned {
        recovered: bool,
    },
    Sent {
        step: StepId,
        op: Op,
        attempt: u32,
    },
    Arrived {
        step: StepId,
        op: Op,
        row: RowState,
    },
    Heard {
        step: StepId,
        op: Op,
        attempt: u32,
        outcome: &'static str,
    },
    Due {
        step: StepId,
        op: Op,
        attempt: u32,
    },
    Deadline,
    Cancelled,
    Resumed,
    Recorded {
        kind: &'static str,
        step: Option<StepId>,
        at: i64,
    },
    Crashed {
        durable: usize,
    },
    Late {
        step: StepId,
        op: Op,
    },
    Nothing,
}

impl Line {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Own { recovered } => Line::Owned { recovered: *recovered },
            Event::Replied { step, op, attempt, outcome } => {
                let outcome = match outcome {
                    Outcome::Done(_) => "an answer",
                    Outcome::Refused(_) => "refused",
                    Outcome::NotNow { .. } => "not now",
                    Outcome::Pending { .. } => "pending",
                    Outcome::Unknown { .. } => "unknown",
                    Outcome::Broken(_) => "broken",
                    Outcome::Superseded(_) => "superseded",
                };
                Line::Heard { step: *step, op: *op, attempt: *attempt, outcome }
            }
            Event::RetryDue { step, op, attempt } => Line::Due { step: *step, op: *op, attempt: *attempt },
            Event::DeadlinePassed => Line::Deadline,
            // Told where they are caused.
            Event::Cancel { .. }
            | Event::Wake
            | Event::Resume { .. }
            | Event::Available { .. }
            | Event::Note { .. }
            | Event::MakeGood { .. }
            | Event::Returned { .. }
            | Event::Poison { .. } => Line::Nothing,
        }
    }

    pub(super) fn of_record(entry: &Entry) -> Self {
        Line::Recorded { kind: entry.record.kind(), step: entry.record.step(), at: entry.at.0 }
    }

    /// A call of the same step and op was sent before.
    pub(super) fn is_call(&self, call: &Call) -> bool {
        matches!(self, Line::Sent { step, op, .. } if (*step, *op) == (call.step, call.op))
    }

    pub(super) fn tell(&self, stage: &Stage<'_>) -> Option<String> {
        let name = |step: &StepId| stage.name(*step);
        Some(match self {
            Line::Struck { fault } => format!("  ! fault {fault}"),
            Line::Owned { recovered: false } => "the orchestrator begins".into(),
            Line::Owned { recovered: true } => "the next owner takes over".into(),
            Line::Sent { step, op, attempt } => format!("{} {op} #{attempt} is sent", name(step)),
            Line::Arrived { step, op, row } => {
                format!("    {} {op} arrives; its row is {}", name(step), format!("{row:?}").to_lowercase())
            }
            Line::Heard { step, op, attempt, outcome } => {
                format!("{} {op} #{attempt} is answered: {outcome}", name(step))
            }
            Line::Due { step, op, attempt } => format!("{} {op} #{attempt} is due", name(step)),
            Line::Deadline => "the deadline comes".into(),
            Line::Cancelled => "somebody cancels".into(),
            Line::Resumed => "a person resumes what is parked".into(),
            Line::Recorded { kind, step, at } => {
                let step = step.as_ref().map(|step| format!(" {}", name(step))).unwrap_or_default();
                format!("    + {kind}{step} at {at} ms")
            }
            Line::Crashed { durable } => format!("the orchestrator dies; {durable} records are durable"),
            Line::Late { step, op } => format!("a late copy of {} {op}", name(step)),
            Line::Nothing => return None,
        })
    }
}

impl Suffered {
    pub(super) fn tell(&self, stage: &Stage<'_>) -> String {
        match self.at {
            Struck::Call(step, op) => {
                format!("{} {op}, call {}: {}", stage.name(step), self.nth, self.fault)
            }
            Struck::Record => format!("record {}: {}", self.nth, self.fault),
            Struck::Pause => format!("pause {}: {}", self.nth, self.fault),
        }
    }
}
