//! What must hold in a state.

use backstitch_core::{Activity, Class, End, Settled, Status, StepState};
use participant_kit::barrier::table::Manner;

use super::Scene;
use crate::laws::Law;
use crate::state::{Seeing, State, Told};
use crate::table::prefix;

impl State {
    /// Nothing goes on by itself: what is still on its way are copies that nobody waits for.
    pub(crate) fn rests(&self) -> bool {
        let busy = |node: &crate::state::Node| {
            let own = |own: &crate::state::Own| {
                own.durable < own.journal.len
                    || own.known.steps.iter().any(|step| step.activity != Activity::Idle)
                    || own.seeing != Seeing::Nothing
            };
            node.reading || !node.unwritten.is_empty() || node.sagas.iter().flatten().any(own)
        };
        !self.nodes.iter().any(busy)
            && !self.places.iter().any(|place| place.is_open())
            && !self.returns.iter().any(|back| back.is_open())
            && !self.clients.iter().any(|client| matches!(client.told, Told::Nothing | Told::Waits))
    }
}

impl Scene<'_> {
    pub(super) fn judge(&mut self) {
        if self.state.broken.is_some() {
            return;
        }
        for saga in 0..self.world.setup.sagas {
            self.judge_saga(saga);
        }
        self.judge_stock();
        self.judge_key();
        if self.state.rests() {
            self.judge_rest();
        }
    }

    fn judge_saga(&mut self, saga: usize) {
        let reported = self.reported(saga);
        let facts = self.state.store.journals[saga].as_ref().map(|journal| journal.facts.clone());
        for node in 0..self.state.nodes.len() {
            let Some(own) = self.own(node, saga) else { continue };
            let (mine, stored) =
                (prefix(&own.journal, own.durable), self.state.store.journals[saga].as_ref());
            let holds =
                own.durable == 0 || mine.as_ref() == stored.and_then(|j| prefix(j, own.durable)).as_ref();
            self.hold(Law::AckedSurvives, holds);
        }
        if let Some(reported) = reported {
            let end = facts.as_ref().and_then(|facts| facts.end);
            let turned = facts.as_ref().is_some_and(|facts| facts.turned_back.is_some());
            self.hold(Law::ReportsStand, reported.end.is_none() || reported.end == end);
            self.hold(Law::TurnedBackBeforeCancelled, reported.turned_back.is_none() || turned);
        }
        let Some(facts) = facts else { return };
        let Some(end) = facts.end else { return };
        for step in 0..self.world.setup.stage.len() {
            if !self.world.setup.stage.profiles[step].barrier {
                continue;
            }
            let place = self.state.places[self.world.place(saga, step)];
            let holds = match (end, self.world.class(step)) {
                (End::Completed, Class::NeedsNoUndo(_)) if facts.made_good.is_some() => true,
                (End::Completed, _) if facts.made_good.is_some() => !place.stands(),
                (End::Completed, _) => place.effects == 1 && place.taken_back == 0,
                (End::Compensated, Class::NeedsNoUndo(_)) => true,
                (End::Compensated, _) => !place.stands(),
            };
            self.hold(Law::Money, holds);
        }
    }

    fn judge_stock(&mut self) {
        let stage = &self.world.setup.stage;
        let held = (0..self.state.places.len())
            .filter(|at| stage.profiles[at % stage.len()].takes_stock && self.state.places[*at].stands())
            .count();
        let conserved = usize::from(self.state.stock) + held == usize::from(self.world.setup.stock);
        let counted = stage.profiles.iter().any(|profile| profile.takes_stock);
        self.hold(Law::Stock, conserved || !counted);
    }

    fn judge_key(&mut self) {
        if self.state.clients.is_empty() {
            return;
        }
        let sagas = self.state.store.journals.iter().flatten().count();
        self.hold(Law::OneSagaPerKey, sagas <= 1);
        for at in 0..self.state.clients.len() {
            if let Told::Accepted(saga) = self.state.clients[at].told {
                let body = self.state.clients[usize::from(saga)].body;
                let durable = self.state.store.journals[usize::from(saga)].is_some();
                let same = self.state.clients[at].body == body;
                self.hold(Law::StartedBeforeAccept, durable);
                self.hold(Law::KeyBindsBody, same);
            }
        }
    }

    fn judge_rest(&mut self) {
        // Owners may die or be replaced as they like: that alone costs nobody a checkout.
        let (left, given) = (self.state.faults, self.world.setup.faults);
        let untroubled = left.trouble == given.trouble && left.deaths == given.deaths;
        for saga in 0..self.world.setup.sagas {
            let Some(journal) = self.state.store.journals[saga].clone() else { continue };
            let status = journal.facts.status();
            self.hold(Law::EndsOrParks, status.is_final() || status == Status::Parked);
            self.hold(Law::ReturnIsSeenTo, status.is_final() || journal.facts.made_good.is_none());
            let guarded = |step: &StepState| matches!(step.settled, Settled::Refused { called: false, .. });
            // A provider may be slower than the patience of whoever asks.
            let slow =
                self.world.setup.stage.profiles.iter().any(|profile| profile.manner == Manner::Outside);
            let excused = slow || self.world.setup.sagas > 1 || journal.facts.steps.iter().any(guarded);
            self.hold(Law::EndsWellUntroubled, !untroubled || excused || status == Status::Completed);
        }
        let moved = usize::from(self.state.store.marked) == self.state.store.outbox.len()
            && self.state.relay.to_mark == 0;
        if self.world.setup.relay && moved {
            let publishing = |journal: &crate::table::Journal| {
                let mut at = Some(journal);
                let mut count = 0u32;
                while let Some(journal) = at {
                    count += u32::from(journal.publishes);
                    at = journal.earlier.as_ref();
                }
                count
            };
            let due: u32 = self.state.store.journals.iter().flatten().map(publishing).sum();
            self.hold(Law::EventsAppear, self.state.relay.appeared.count_ones() == due);
        }
    }
}
