//! Sagas as operators see them: which there are, and everything about one.
//!
//! A reading of durable facts, and of what a saga's task is doing right now. Names steps and outcomes, never inputs:
//! those may hold what is nobody's business.

mod record;
mod step;

use backstitch_core::{Definition, Entry, ParkedBy, Saga};
use backstitch_store::SagaRow;
use serde::Serialize;
use uuid::Uuid;

use crate::parked;
use crate::salvage::{self, Beginning, Salvage};
pub(crate) use record::{Line, Told, Undecodable};
pub(crate) use step::Step;

/// A saga in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) saga_id: Uuid,
    pub(crate) definition: String,
    pub(crate) version: u32,
    pub(crate) status: &'static str,
    pub(crate) started_at_unix_ms: i64,
    pub(crate) updated_at_unix_ms: i64,
    /// What it waits for, where no node here can run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<String>,
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
    /// Why it cannot be read whole, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What waits for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parked: Vec<ParkedStep>,
    /// What people should see of it, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<Note>,
    pub(crate) steps: Vec<Step>,
    pub(crate) records: Vec<Line>,
}

/// What somebody found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Note {
    pub(crate) at_unix_ms: i64,
    pub(crate) text: String,
}

/// A step that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ParkedStep {
    /// None: the saga as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<&'static str>,
    /// Its undo is parked, and not the step itself.
    pub(crate) undo: bool,
    pub(crate) why: String,
    /// `silence`: tried again once its participant answers others; `fault`: a person has to look.
    pub(crate) by: &'static str,
    pub(crate) since_unix_ms: i64,
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
            waits_for: None,
        }
    }
}

/// Reads the detail off a saga's definition, its state and its journal (numbered from 1).
pub(crate) fn detail(definition: &Definition, saga: &Saga, journal: &[Entry]) -> Detail {
    let line = |(entry, seq)| Line::Told(record::told(Some(definition), seq, entry));
    let summary = Summary {
        saga_id: saga.id,
        definition: definition.name.to_owned(),
        version: definition.version,
        status: saga.status().as_str(),
        started_at_unix_ms: saga.started_at.0,
        updated_at_unix_ms: journal.last().map_or(saga.started_at.0, |entry| entry.at.0),
        waits_for: None,
    };
    Detail {
        summary,
        seq: saga.seq,
        explanation: backstitch_core::explain(definition, saga),
        reason: None,
        parked: parked(definition, saga, journal),
        notes: notes(saga),
        steps: definition.step_ids().map(|id| step::of(definition, saga, journal, id)).collect(),
        records: journal.iter().zip(1..).map(line).collect(),
    }
}

/// Tells what there is of a saga that cannot be read whole: the steps as they stood after the readable beginning of its
/// journal, and every record that decodes.
pub(crate) fn salvaged(salvage: Salvage) -> Detail {
    let waits_for = salvage.waits_for();
    let Salvage { reason, lines, start, row, elsewhere } = salvage;
    let definition = start.as_ref().map(|start| &*start.definition);
    let line = |(line, seq)| match line {
        salvage::Line::Read(entry) => Line::Told(record::told(definition, seq, &entry)),
        salvage::Line::Undecodable { why, length } => Line::Undecodable(Undecodable { seq, why, length }),
    };
    let explanation = if elsewhere {
        "Nothing is done with it here: it waits for a node that has its definition."
    } else {
        "Nothing is done with it: it cannot be read whole. Its bytes are kept as they are, for a person or another version."
    };
    let (parked, notes, steps) =
        start.as_ref().map_or_else(Default::default, |Beginning { definition, state, journal }| {
            let steps = definition.step_ids().map(|id| step::of(definition, state, journal, id)).collect();
            (parked(definition, state, journal), notes(state), steps)
        });
    Detail {
        seq: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        explanation: explanation.to_owned(),
        reason: Some(reason),
        parked,
        notes,
        steps,
        records: lines.into_iter().zip(1..).map(line).collect(),
        summary: Summary { waits_for, ..row.into() },
    }
}

fn notes(saga: &Saga) -> Vec<Note> {
    let note = |note: &backstitch_core::Note| Note { at_unix_ms: note.at.0, text: note.text.clone() };
    saga.notes.iter().map(note).collect()
}

fn parked(definition: &Definition, saga: &Saga, journal: &[Entry]) -> Vec<ParkedStep> {
    let told = |parked: parked::Parked<'_>| ParkedStep {
        step: parked.step.map(|id| definition.step(id).name),
        undo: parked.undo,
        why: parked.why.to_owned(),
        by: match parked.by {
            ParkedBy::Silence => "silence",
            ParkedBy::Fault => "fault",
        },
        since_unix_ms: parked.since.0,
    };
    parked::of(definition, saga, journal).into_iter().map(told).collect()
}
