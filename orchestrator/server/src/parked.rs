//! What of a saga waits for a person: which step or all of it, why, since when.

use backstitch_core::{
    Class, Definition, Direction, Entry, ParkedBy, Record, Saga, Settled, StepId, Timestamp,
};

/// A step that is parked, or whose undo is.
pub(crate) struct Parked<'a> {
    /// None: the saga as a whole.
    pub(crate) step: Option<StepId>,
    /// Its undo is parked, and not the step itself.
    pub(crate) undo: bool,
    /// For people who know what participants are.
    pub(crate) why: &'a str,
    /// What has to change.
    pub(crate) by: ParkedBy,
    pub(crate) since: Timestamp,
}

/// Everything of `saga` that is parked, by step. The state knows what and why, the journal since when.
pub(crate) fn of<'a>(definition: &Definition, saga: &'a Saga, journal: &[Entry]) -> Vec<Parked<'a>> {
    let last = |is: &dyn Fn(&Record) -> bool| {
        let parked = journal.iter().rev().find(|entry| is(&entry.record));
        parked.map_or(saga.started_at, |entry| entry.at)
    };
    let since = |id: StepId, undo: bool| {
        last(&|record| match record {
            Record::StepParked { step, .. } => *step == id && !undo,
            Record::UndoParked { step, .. } => *step == id && undo,
            _ => false,
        })
    };
    let whole = saga.poisoned.as_deref().map(|why| {
        let since = last(&|record| matches!(record, Record::Poisoned { .. }));
        Parked { step: None, undo: false, why, by: ParkedBy::Fault, since }
    });
    let both = definition.step_ids().flat_map(|id| {
        let state = saga.step(id);
        [(id, false, &state.parked), (id, true, &state.undo_parked)]
    });
    let parked = both.filter_map(|(id, undo, parked)| {
        let parked = parked.as_ref()?;
        Some(Parked { step: Some(id), undo, why: &parked.why, by: parked.by, since: since(id, undo) })
    });
    whole.into_iter().chain(parked).collect()
}

const NOT_CERTAIN: &str = "It is not certain yet whether your payment has gone through; do not pay again.";

/// What a parked step means to the customer, who is told of their money, of who has to come, and of nobody's insides.
pub(crate) fn told_to_customers(definition: &Definition, saga: &Saga, by: ParkedBy) -> String {
    let captured = |id: &StepId| {
        definition.step(*id).class == Class::Pivot && matches!(saga.step(*id).settled, Settled::Done { .. })
    };
    let money = match (&saga.direction, saga.pivot_intent) {
        (Direction::Back(_), _) => "This is not taken back completely yet; you are not charged.",
        (Direction::Forward, None) if saga.is_settling(definition) => NOT_CERTAIN,
        (Direction::Forward, None) => "This is not finished yet; you have not been charged.",
        (Direction::Forward, Some(_)) if definition.step_ids().any(|id| captured(&id)) => {
            "Your payment has gone through, and this is still to be done."
        }
        (Direction::Forward, Some(_)) => NOT_CERTAIN,
    };
    let next = match by {
        ParkedBy::Silence => "It goes on as soon as a service that does not answer now is back.",
        ParkedBy::Fault => "A person is seeing to it.",
    };
    format!("{money} {next}")
}
