//! What failpoints call the records that pass by.

use backstitch_core::{Definition, Entry, Record};
use backstitch_failpoint::Label;

/// `capture_payment/do` for the end of a step or, with `/undo`, of its undo; a word for everything else.
pub(crate) fn label(definition: &Definition, records: &[Entry]) -> Label {
    Label::new(|| records.iter().map(|entry| name(definition, &entry.record)).collect())
}

fn name(definition: &Definition, record: &Record) -> String {
    let of = |step, op| format!("{}/{op}", definition.step(step).name);
    match record {
        Record::StepDone { step, .. } | Record::StepRefused { step, .. } => of(*step, "do"),
        Record::StepWaiting { step, .. } => of(*step, "wait"),
        Record::CloseIntent { step } => of(*step, "close"),
        Record::UndoDone { step, .. } => of(*step, "undo"),
        Record::Started(_) => "start".into(),
        Record::PivotIntent => "pivot_intent".into(),
        Record::TurnedBack { .. } => "turned_back".into(),
        Record::Completed | Record::Compensated => "end".into(),
        Record::StepParked { .. } | Record::UndoParked { .. } | Record::Poisoned { .. } => "parked".into(),
        Record::Resumed { .. } => "resumed".into(),
        Record::Noted { .. } => "noted".into(),
        Record::MadeGood { .. } => "made_good".into(),
        Record::NotMadeGood { .. } => "not_made_good".into(),
    }
}
