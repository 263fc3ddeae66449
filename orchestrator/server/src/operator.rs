//! Sagas as operators see them: which there are, and everything about one.
//!
//! A reading of durable facts, and of what a saga's task is doing right now. Names steps and outcomes, never inputs:
//! those may hold what is nobody's business.

use backstitch_core::{
    Activity, Cause, Class, Definition, Direction, Entry, Op, Record, Saga, Settled, StepId,
};
use backstitch_store::SagaRow;
use serde::Serialize;
use uuid::Uuid;

/// A saga in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) saga_id: Uuid,
    pub(crate) definition: String,
    pub(crate) version: u32,
    pub(crate) status: &'static str,
    pub(crate) started_at_unix_ms: i64,
    pub(crate) updated_at_unix_ms: i64,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Listing {
    pub(crate) sagas: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

/// Everything about one saga.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// Number of the last record: what a verb says it was decided on.
    pub(crate) seq: u32,
    /// Where it stands and what it waits for, in a sentence.
    pub(crate) explanation: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) records: Vec<Told>,
}

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

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Told {
    pub(crate) seq: u32,
    pub(crate) at_unix_ms: i64,
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

impl From<SagaRow> for Summary {
    fn from(row: SagaRow) -> Self {
        Self {
            saga_id: row.id,
            definition: row.definition,
            version: row.version,
            status: row.status.as_str(),
            started_at_unix_ms: row.started_at_ms,
            updated_at_unix_ms: row.updated_at_ms,
        }
    }
}

/// Reads the detail off a saga's definition, its state and its journal (numbered from 1).
pub(crate) fn detail(definition: &Definition, saga: &Saga, journal: &[Entry]) -> Detail {
    let records = journal.iter().zip(1..).map(|(entry, seq)| told(definition, seq, entry)).collect();
    let steps = definition.step_ids().map(|id| step(definition, saga, journal, id)).collect();
    let summary = Summary {
        saga_id: saga.id,
        definition: definition.name.to_owned(),
        version: definition.version,
        status: saga.status().as_str(),
        started_at_unix_ms: saga.started_at.0,
        updated_at_unix_ms: journal.last().map_or(saga.started_at.0, |entry| entry.at.0),
    };
    Detail { summary, seq: saga.seq, explanation: backstitch_core::explain(definition, saga), steps, records }
}

fn step(definition: &Definition, saga: &Saga, journal: &[Entry], id: StepId) -> Step {
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
    match saga.step(id).parked {
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
    if let Some(why) = state.undo_parked.as_ref().or(state.parked.as_ref()) {
        return why.clone();
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

fn told(definition: &Definition, seq: u32, entry: &Entry) -> Told {
    let name = |id: StepId| definition.steps.get(id.index()).map(|step| step.name);
    let calls = |n: u32| if n == 1 { "1 call".to_owned() } else { format!("{n} calls") };
    let detail = match &entry.record {
        Record::Started(start) => format!(
            "{} v{}, input of {} bytes, turns back at {} if the pivot has not begun",
            start.definition,
            start.version,
            start.input.len(),
            start.deadline
        ),
        Record::StepDone { attempts, .. } | Record::UndoDone { attempts, .. } => calls(*attempts),
        Record::StepRefused { refusal, attempts, called: true, .. } => {
            format!("{}: {} ({})", refusal.reason, refusal.detail, calls(*attempts))
        }
        Record::StepRefused { refusal, .. } => {
            format!("{}: {} (by its guard, nothing was sent)", refusal.reason, refusal.detail)
        }
        Record::StepWaiting { until, .. } => format!("for the customer, until {until}"),
        Record::TurnedBack { cause } => match cause {
            Cause::Refused(_) => "refused".to_owned(),
            Cause::GaveUp { last, .. } => format!("no answer in time; last heard: {last}"),
            Cause::Deadline => "the deadline passed".to_owned(),
            Cause::Cancelled(why) => format!("cancelled: {why}"),
        },
        Record::StepParked { why, .. } | Record::UndoParked { why, .. } | Record::Resumed { why } => {
            why.clone()
        }
        Record::PivotIntent | Record::CloseIntent { .. } | Record::Completed | Record::Compensated => {
            String::new()
        }
    };
    Told {
        seq,
        at_unix_ms: entry.at.0,
        kind: entry.record.kind(),
        step: entry.record.step().and_then(name),
        detail,
    }
}
