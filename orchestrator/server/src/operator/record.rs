//! A record as operators see it: what was decided, and never what an input holds.

use std::borrow::Cow;

use backstitch_core::{Definition, Entry, Record, StepId};
use serde::Serialize;

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Told {
    pub(crate) seq: u32,
    pub(crate) at_unix_ms: i64,
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
}

/// A record's place in a journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Told(Told),
    Undecodable(Undecodable),
}

/// A record that does not decode. Its bytes are kept, and not shown: an input may be in them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Undecodable {
    pub(crate) seq: u32,
    /// Why.
    #[serde(rename = "undecodable")]
    pub(crate) why: String,
    /// How many bytes it has.
    pub(crate) length: usize,
}

/// Tells a record. Without its definition, steps have numbers instead of names.
pub(super) fn told(definition: Option<&Definition>, seq: u32, entry: &Entry) -> Told {
    let name = |id: StepId| match definition.and_then(|definition| definition.steps.get(id.index())) {
        Some(step) => Cow::Borrowed(step.name),
        None => Cow::Owned(format!("step {}", id.index())),
    };
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
        Record::TurnedBack { cause } => cause.to_string(),
        Record::StepParked { why, .. }
        | Record::UndoParked { why, .. }
        | Record::Poisoned { why }
        | Record::NotMadeGood { why }
        | Record::Resumed { why, .. } => why.clone(),
        Record::Noted { text } => text.clone(),
        Record::MadeGood { why, return_saga } => format!("by return {return_saga}: {why}"),
        Record::PivotIntent | Record::CloseIntent { .. } | Record::Completed | Record::Compensated => {
            String::new()
        }
    };
    Told {
        seq,
        at_unix_ms: entry.at.0,
        kind: entry.record.kind(),
        step: entry.record.step().map(name),
        detail,
    }
}
