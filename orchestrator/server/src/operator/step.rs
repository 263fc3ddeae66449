//! A step as operators see it: how far it and its undo have come.

use backstitch_core::{Activity, Class, Definition, Direction, Entry, Op, Record, Saga, Settled, StepId};
use serde::Serialize;

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) participant: &'static str,
    pub(crate) class: &'static str,
    pub(crate) forward: &'static str,
    pub(crate) undo: &'static str,
    pub(crate) maybe_run: bool,
    pub(crate) attempts: u32,
    pub(crate) undo_attempts: u32,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settled_at_unix_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) undone_at_unix_ms: Option<i64>,
}

/// Reads a step off its definition, the state and the journal.
pub(super) fn of(definition: &Definition, saga: &Saga, journal: &[Entry], id: StepId) -> Step {
    let (step, state) = (definition.step(id), saga.step(id));
    let (attempts, undo_attempts) = attempts(journal, id);
    let calling = |undo: bool| match &state.activity {
        Activity::Calling { op, .. } if (*op == Op::Undo) == undo => Some("calling"),
        Activity::BackingOff { op, .. } if (*op == Op::Undo) == undo => Some("backing off"),
        _ => None,
    };
    let forward = match &state.settled {
        Settled::Done { .. } => "done",
        Settled::Refused { .. } => "refused",
        Settled::Open if state.parked.is_some() => "parked",
        Settled::Open if state.waiting.is_some() => "waiting",
        Settled::Open => calling(false).unwrap_or("idle"),
    };
    let undo = if state.undone.is_some() {
        "done"
    } else if state.undo_parked.is_some() {
        "parked"
    } else if step.undo.is_none() || saga.direction == Direction::Forward {
        "-"
    } else {
        calling(true).unwrap_or(if saga.needs_undo(definition, id) { "idle" } else { "-" })
    };
    let settled_at_unix_ms = match &state.settled {
        Settled::Open => None,
        Settled::Done { at, .. } | Settled::Refused { at, .. } => Some(at.0),
    };
    Step {
        name: step.name,
        participant: step.participant,
        class: match step.class {
            Class::Compensatable => "compensatable",
            Class::NeedsNoUndo(_) => "no undo needed",
            Class::Pivot => "pivot",
            Class::Retriable => "retriable",
        },
        forward,
        undo,
        maybe_run: maybe_run(definition, saga, journal, id),
        attempts: attempts.max(state.attempts),
        undo_attempts: undo_attempts.max(state.undo_attempts),
        detail: note(saga, id),
        settled_at_unix_ms,
        undone_at_unix_ms: state.undone.map(|at| at.0),
    }
}

/// Whether nobody knows if its effect happened. What could not start yet, or was parked before its first call, surely
/// did not, whatever a former owner did.
fn maybe_run(definition: &Definition, saga: &Saga, journal: &[Entry], id: StepId) -> bool {
    let done = |earlier: StepId| matches!(saga.step(earlier).settled, Settled::Done { .. });
    let (attempts, _) = attempts(journal, id);
    match &saga.step(id).parked {
        Some(_) => attempts > 0,
        None => saga.maybe_run(id) && definition.step(id).after.iter().all(done),
    }
}

/// Calls that the journal knows of, forward and back. What is still in doubt has written none down.
fn attempts(journal: &[Entry], id: StepId) -> (u32, u32) {
    journal.iter().fold((0, 0), |(forward, back), entry| match &entry.record {
        Record::StepDone { step, attempts, .. }
        | Record::StepRefused { step, attempts, .. }
        | Record::StepParked { step, attempts, .. }
            if *step == id =>
        {
            (*attempts, back)
        }
        Record::UndoDone { step, attempts } | Record::UndoParked { step, attempts, .. } if *step == id => {
            (forward, *attempts)
        }
        _ => (forward, back),
    })
}

fn note(saga: &Saga, id: StepId) -> String {
    let state = saga.step(id);
    if let Some(parked) = state.undo_parked.as_ref().or(state.parked.as_ref()) {
        return parked.why.clone();
    }
    if let Settled::Refused { refusal, called, .. } = &state.settled {
        let by = if *called { "" } else { " (by its guard, nothing was sent)" };
        return format!("{}: {}{by}", refusal.reason, refusal.detail);
    }
    match (&state.waiting, &state.activity) {
        (Some(waiting), _) => format!("waits for the customer until {}", waiting.until),
        (None, Activity::BackingOff { until, last, .. }) => {
            format!("next attempt at {until}; last heard: {last}")
        }
        (None, _) => String::new(),
    }
}
