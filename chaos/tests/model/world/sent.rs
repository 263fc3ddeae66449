//! What must hold when a call leaves: the safety table, told from what is durable at that moment.

use backstitch_core::{Class, Op, Record, Replay, Settled, StepId};

use super::{Scene, World};
use crate::laws::Law;
use crate::mutants::{self, Mutant};
use crate::table::{Asked, Journal, prefix};

impl World {
    /// The record that the call waits for.
    pub(super) fn waits_for(&self, asked: &Asked) -> u8 {
        mutants::waits_for(self, asked)
    }
}

impl Scene<'_> {
    pub(super) fn check_sent(&mut self, node: usize, saga: usize, asked: &Asked) {
        let Some(own) = self.own(node, saga) else { return };
        // All that it decided, told by its records and not by its memory.
        let (decided, step) = (own.journal.facts.clone(), usize::from(asked.step));
        let recovered = own.known.recovered;
        let known = own.known.clone();
        let Some(durable) = prefix(&own.journal, own.durable) else {
            return self.hold(Law::StartedBeforeCall, false);
        };
        let facts = &durable.facts;
        self.hold(Law::PoisonedIsStill, decided.poisoned.is_none());
        self.hold(Law::MadeGoodIsStill, decided.made_good.is_none());
        let definition = &self.world.setup.stage.definition;
        let node_step = &definition.steps[step];
        let done =
            |saga: &backstitch_core::Saga, id: StepId| matches!(saga.step(id).settled, Settled::Done { .. });
        if asked.op == Op::Undo {
            self.hold(Law::TurnedBackBeforeUndo, facts.turned_back.is_some());
            self.hold(Law::CaptureOrVoid, node_step.class == Class::Compensatable);
            let place = &self.state.places[self.world.place(saga, step)];
            let may_have_run = place.asked || recovered;
            self.hold(Law::UndoOnlyMaybeRun, may_have_run);
            for later in node_step.descendants.iter() {
                let passed = !known.needs_undo(definition, later)
                    || known.step(later).undone.is_some()
                    || facts.step(later).undo_parked.is_some();
                self.hold(Law::UndoOrder, passed);
            }
            return;
        }
        self.hold(Law::NoForwardAfterTurn, decided.turned_back.is_none());
        for read in node_step.reads.iter() {
            let rides = definition.step(read).replay == Replay::Same;
            self.hold(Law::OutputBeforeUse, rides || done(facts, read));
        }
        for earlier in node_step.after.iter() {
            self.hold(Law::DependencyOrder, done(&decided, earlier));
        }
        if node_step.class == Class::Pivot {
            self.hold(Law::PivotIntentBeforePivot, facts.pivot_intent.is_some());
        }
        if asked.op == Op::Close {
            self.hold(Law::CloseIntentBeforeClose, facts.steps[step].closing.is_some());
        } else {
            self.hold(Law::NoDoAfterClose, decided.steps[step].closing.is_none());
        }
    }

    /// Its undo waited or waits for a person: the others did not wait for it.
    pub(super) fn was_undo_parked(&self, saga: usize, step: usize) -> bool {
        let parked = |journal: &Journal| {
            let mut at = Some(journal);
            while let Some(journal) = at {
                if matches!(&journal.entry.record, Record::UndoParked { step: id, .. } if id.index() == step)
                {
                    return true;
                }
                at = journal.earlier.as_ref();
            }
            false
        };
        let live = self.state.nodes.iter().filter_map(|node| node.sagas[saga].as_ref());
        self.state.store.journals[saga].iter().any(parked) || live.into_iter().any(|own| parked(&own.journal))
    }

    /// A report, as the API gives it: from what is durable.
    pub(super) fn reported(&self, saga: usize) -> Option<crate::table::Known> {
        let live = self.state.nodes.iter().find_map(|node| node.sagas[saga].as_ref());
        match live {
            Some(own) if self.world.is(Mutant::ReportsAnEndThatIsNotDurable) && own.known.end.is_some() => {
                Some(own.known.clone())
            }
            Some(own) if self.world.is(Mutant::AcceptsACancelThatIsNotDurable) && own.known.end.is_none() => {
                Some(own.known.clone())
            }
            _ => self.state.store.journals[saga].as_ref().map(|journal| journal.facts.clone()),
        }
    }
}
