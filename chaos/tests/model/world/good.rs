//! A saga that is parked after its pivot is made good by a return, which its owner sees to.
//!
//! The return is a saga like any other: here only what it comes to is told, one step of it at a time. Effects are local.

use backstitch_core::{Activity, Class, Direction, End, Settled};

use super::{Action, Scene, World};
use crate::laws::Law;
use crate::mutants::Mutant;
use crate::setup::Kind;
use crate::state::{Own, Progress, Return, Seeing, State};
use crate::table::{Heard, Known, return_id, small};

impl World {
    /// What an owner sees to after an event; see `orchestrator/engine/src/good.rs`.
    pub(super) fn seeing(&self, own: &Own, heard: Heard) -> Seeing {
        if own.known.made_good.is_none() || own.known.end.is_some() {
            return Seeing::Nothing;
        }
        match heard {
            Heard::MakeGood { .. } => Seeing::ItsReturn,
            Heard::Own { .. } if self.is(Mutant::ForgetsTheReturn) => Seeing::Nothing,
            Heard::Own { .. } if self.is(Mutant::DrawsAnotherReturn) => Seeing::Another,
            Heard::Own { .. } => Seeing::ItsReturn,
            _ => own.seeing,
        }
    }

    pub(super) fn of_making_good(&self, state: &State, node: u8, saga: u8, own: &Own, out: &mut Vec<Action>) {
        if state.faults.goods > 0 && self.can_be_made_good(&own.known) {
            out.push(Action::MakeGood { node, saga });
        }
        let back = &state.returns[usize::from(saga)];
        let Some(nth) = self.decided(own) else { return };
        match own.seeing {
            Seeing::Nothing => {}
            Seeing::ItsReturn if back.nth == nth => {
                if !back.is_open() {
                    out.push(Action::TellReturned { node, saga });
                }
            }
            Seeing::ItsReturn | Seeing::Another => out.push(Action::StartReturn { node, saga }),
        }
    }

    fn can_be_made_good(&self, known: &Known) -> bool {
        let pivot = self.setup.stage.definition.pivot;
        let done = pivot.is_some_and(|pivot| matches!(known.step(pivot).settled, Settled::Done { .. }));
        let calling = known.steps.iter().any(|step| matches!(step.activity, Activity::Calling { .. }));
        let open = known.end.is_none() && known.direction == Direction::Forward && known.made_good.is_none();
        open && done && !calling && known.is_parked()
    }

    /// The decision that its owner acts on: once it is durable.
    fn decided(&self, own: &Own) -> Option<u8> {
        let early = self.is(Mutant::StartsAReturnTooEarly);
        let good = own.known.made_good.as_ref().filter(|_| early || own.durable == own.journal.len)?;
        (1..=self.setup.faults.goods).find(|nth| return_id(*nth) == good.return_saga)
    }

    /// What a return gives back: what was done, and what was only asked for.
    fn is_given_back(&self, step: usize) -> bool {
        self.setup.stage.profiles[step].barrier && !matches!(self.class(step), Class::NeedsNoUndo(_))
    }

    pub(super) fn of_returns(&self, state: &State, out: &mut Vec<Action>) {
        for (saga, back) in state.returns.iter().enumerate().filter(|(_, back)| back.is_open()) {
            for step in (0..self.setup.stage.len()).filter(|step| self.is_given_back(*step)) {
                // Its own pivot is to give back what this saga's took: before that, nothing else.
                let first = self.class(step) == Class::Pivot;
                let place = self.place(saga, step);
                if (back.progress == Progress::Begun) == first && !state.places[place].returned {
                    out.push(Action::GiveBack { place: small(place) });
                }
            }
            if back.progress == Progress::Begun && self.may(state, Kind::Unreturned) {
                out.push(Action::TakeReturnBack { saga: small(saga) });
            }
        }
    }
}

impl Scene<'_> {
    pub(super) fn make_good(&mut self, node: u8, saga: u8) {
        let nth = self.world.setup.faults.goods - self.state.faults.goods + 1;
        self.state.faults.goods -= 1;
        self.hear(usize::from(node), usize::from(saga), Heard::MakeGood { nth });
    }

    /// A commit of its own, under the epoch. Started again under the same id, it is the same return.
    pub(super) fn start_return(&mut self, node: u8, saga: u8) {
        let (at, of) = (usize::from(node), usize::from(saga));
        if self.state.nodes[at].epoch < self.state.store.epoch {
            return self.lose(at);
        }
        let Some(own) = self.state.nodes[at].sagas[of].as_mut() else { return };
        let Some(nth) = self.world.decided(own) else { return };
        own.seeing = Seeing::ItsReturn;
        // Two of one decision would each give everything back.
        let first = self.state.returns[of].nth != nth;
        self.hold(Law::OnceOnly, first);
        self.state.returns[of] = Return { nth, progress: Progress::Begun };
        let durable = self.state.store.journals[of]
            .as_ref()
            .and_then(|journal| journal.facts.made_good.as_ref().map(|good| good.return_saga));
        self.hold(Law::MadeGoodBeforeReturn, durable == Some(return_id(nth)));
    }

    pub(super) fn give_back(&mut self, place: u8) {
        let (at, saga) = (usize::from(place), self.world.saga_of(place));
        let stands = self.state.places[at].stands();
        self.state.places[at].returned = true;
        if stands {
            self.state.places[at].taken_back += 1;
            let takes = self.world.setup.stage.profiles[self.world.step_of(place)].takes_stock;
            self.state.stock += u8::from(takes);
        }
        let is_left = |step: usize| {
            self.world.is_given_back(step) && !self.state.places[self.world.place(saga, step)].returned
        };
        let left = (0..self.world.setup.stage.len()).any(is_left);
        self.state.returns[saga].progress = if left { Progress::Giving } else { Progress::Completed };
    }

    pub(super) fn take_return_back(&mut self, saga: u8) {
        self.state.faults.trouble -= 1;
        self.state.returns[usize::from(saga)].progress = Progress::TakenBack;
    }

    pub(super) fn tell_returned(&mut self, node: u8, saga: u8) {
        let Return { nth, progress } = self.state.returns[usize::from(saga)];
        let end = if progress == Progress::Completed { End::Completed } else { End::Compensated };
        self.hear(usize::from(node), usize::from(saga), Heard::Returned { nth, end });
    }
}
