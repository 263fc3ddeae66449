//! Participants: the kit's own barrier table around effects that are counted.

use backstitch_core::{Class, Op};
use participant_kit::barrier::table::{Aim, Decision, Manner, RowState};

use super::{Says, Scene, Will, orphan, wire};
use crate::laws::Law;
use crate::mutants::{self, Mutant};
use crate::state::{Found, Packet, Task, Work, take};
use crate::table::{Answer, small};

impl Scene<'_> {
    pub(super) fn deliver(&mut self, packet: Packet, will: Will) {
        take(&mut self.state.packets, &packet);
        match will {
            Will::Willing => {}
            Will::Refuses | Will::IsBusy => self.state.faults.trouble -= 1,
            Will::Dies => self.state.faults.deaths -= 1,
        }
        if will == Will::IsBusy {
            return self.reply(packet, Answer::NotNow);
        }
        self.handle(packet, will);
    }

    /// A call arrives, and a stale copy of it stays on its way.
    pub(super) fn duplicate(&mut self, packet: Packet) {
        self.state.faults.trouble -= 1;
        take(&mut self.state.packets, &packet);
        crate::state::put(&mut self.state.packets, orphan(packet));
        self.merge_orphans();
        self.handle(packet, Will::Willing);
    }

    fn handle(&mut self, packet: Packet, will: Will) {
        let (at, step) = (usize::from(packet.place), self.world.step_of(packet.place));
        let profile = self.world.setup.stage.profiles[step];
        if packet.op != Op::Undo {
            let place = &mut self.state.places[at];
            let first = place.request == 0;
            if first {
                place.request = packet.request;
            }
            let same = place.request == packet.request;
            self.hold(Law::SameRequest, same);
        }
        if !profile.barrier {
            let place = &mut self.state.places[at];
            place.answered = (place.answered + 1).min(3);
            let answer = Answer::Done(place.answered);
            return self.reply(packet, answer);
        }
        let row = self.state.places[at].row;
        let decision = mutants::decide(self.world.mutant, row, wire(packet.op), profile.manner, true);
        match decision {
            Decision::Perform if profile.manner == Manner::Local => self.perform(packet, will),
            Decision::Perform => {
                if !self.world.is(Mutant::ReachesItsProviderBeforeItsRow) {
                    self.state.places[at].row = RowState::Doing;
                }
                // What an earlier task asked is not taken back by the next one.
                let earlier = self.state.places[at].task;
                let asks = earlier.is_some_and(|task| task.work == Work::Begin && task.found.is_none());
                self.state.places[at].under_way |= asks;
                self.state.places[at].task = Some(Task { packet, work: Work::Begin, found: None });
            }
            Decision::TakeBack => {
                self.take_back(at);
                self.state.places[at].row = RowState::Undone;
                self.reply_unless_dead(packet, Answer::Done(0), will);
            }
            Decision::Bury => {
                self.state.places[at].row = RowState::Closed;
                let answer = if packet.op == Op::Undo { Answer::Done(0) } else { Answer::Refused };
                self.reply_unless_dead(packet, answer, will);
            }
            Decision::Open(aim) => {
                self.state.places[at].row = RowState::Closing(aim);
                self.settle(packet, aim);
            }
            Decision::Settle(aim) => self.settle(packet, aim),
            Decision::InProgress if self.state.places[at].task.is_some() => {
                self.reply(packet, Answer::Unknown)
            }
            Decision::InProgress => {
                self.state.places[at].task = Some(Task { packet, work: Work::Read, found: None });
            }
            settled => {
                let answer = self.stored(at, settled);
                self.reply_unless_dead(packet, answer, will);
            }
        }
    }

    /// What a row answers that nothing is done about.
    fn stored(&self, at: usize, decision: Decision) -> Answer {
        match decision {
            Decision::Replay if self.state.places[at].row == RowState::Refused => Answer::Refused,
            Decision::Replay | Decision::Success => Answer::Done(0),
            Decision::NeverHappens => Answer::Refused,
            Decision::Superseded => Answer::Superseded,
            _ => Answer::Broken,
        }
    }

    fn reply_unless_dead(&mut self, packet: Packet, answer: Answer, will: Will) {
        if will != Will::Dies {
            self.reply(packet, answer);
        }
    }

    /// The local effect, in the row's own transaction.
    fn perform(&mut self, packet: Packet, will: Will) {
        let (at, step) = (usize::from(packet.place), self.world.step_of(packet.place));
        if will == Will::Dies {
            if self.world.is(Mutant::AnswersBeforeItsCommit) {
                return self.reply(packet, Answer::Done(0));
            }
            if self.world.is(Mutant::EffectRidesBesideTheRow) {
                return self.effect(at);
            }
        }
        let takes = self.world.setup.stage.profiles[step].takes_stock;
        let sold_out = takes && self.state.stock == 0 && !self.world.is(Mutant::SellsWhatIsGone);
        if will == Will::Refuses || sold_out {
            if !self.world.is(Mutant::RefusedRowIsNotStored) {
                self.state.places[at].row = RowState::Refused;
            }
            return self.reply_unless_dead(packet, Answer::Refused, will);
        }
        self.effect(at);
        self.state.places[at].row = RowState::Done;
        self.reply_unless_dead(packet, Answer::Done(0), will);
    }

    /// A closing row is settled: by this call, unless somebody else is at the provider.
    fn settle(&mut self, packet: Packet, aim: Aim) {
        let at = usize::from(packet.place);
        let other = aim == Aim::Undo && packet.op == Op::Close;
        if other || self.state.places[at].task.is_some() {
            return self.reply(packet, Answer::NotNow);
        }
        if self.world.is(Mutant::CloseAnswersWithoutAsking) && aim == Aim::Close {
            self.state.places[at].row = RowState::Done;
            return self.reply(packet, Answer::Done(0));
        }
        self.state.places[at].task = Some(Task { packet, work: Work::Settle(aim), found: None });
    }

    /// The participant takes up a row whose task is gone.
    pub(super) fn tick(&mut self, place: u8) {
        let at = usize::from(place);
        let (op, work) = match self.state.places[at].row {
            RowState::Closing(aim) => {
                (if aim == Aim::Undo { Op::Undo } else { Op::Close }, Work::Settle(aim))
            }
            _ => (Op::Do, Work::Read),
        };
        let packet = Packet { place, op, request: 0, epoch: 0, attempt: 0 };
        self.state.places[at].task = Some(Task { packet, work, found: None });
    }

    /// The provider does, or says, what it is asked.
    pub(super) fn reach(&mut self, place: u8, says: Says) {
        let at = usize::from(place);
        if says != Says::Yes {
            self.state.faults.trouble -= 1;
        }
        let Some(task) = self.state.places[at].task else { return };
        let (cancelled, stands) = (self.state.places[at].cancelled, self.state.places[at].stands());
        let found = match task.work {
            Work::Begin if says == Says::No || cancelled => Found::Nothing,
            Work::Begin if says == Says::Wait => Found::Waits,
            Work::Begin => {
                self.effect(at);
                Found::Effect
            }
            Work::Read | Work::Settle(Aim::Close) if stands => Found::Effect,
            Work::Settle(Aim::Undo) if stands => {
                self.take_back(at);
                Found::TakenBack
            }
            Work::Read if self.state.places[at].waits => Found::Waits,
            _ => Found::Nothing,
        };
        let final_there = found != Found::Nothing || !self.world.is(Mutant::SettlesWithoutCancelling);
        let place = &mut self.state.places[at];
        place.cancelled |= final_there && found == Found::Nothing;
        place.waits = found == Found::Waits;
        place.task = Some(Task { found: Some(found), ..task });
    }

    /// What was found is committed with the row, if the row still is what the provider was asked for.
    pub(super) fn record(&mut self, place: u8) {
        let at = usize::from(place);
        let Some(Task { packet, work, found: Some(found) }) = self.state.places[at].task.take() else {
            return;
        };
        let row = self.state.places[at].row;
        let expected = match work {
            Work::Begin | Work::Read => RowState::Doing,
            Work::Settle(aim) => RowState::Closing(aim),
        };
        let unrecorded = self.world.is(Mutant::ReachesItsProviderBeforeItsRow) && row == RowState::Absent;
        if row == expected && found == Found::Waits {
            return self.reply(packet, Answer::Pending);
        }
        if row == expected || unrecorded {
            let (to, answer) = match (work, found) {
                (Work::Settle(Aim::Undo), _) => (RowState::Undone, Answer::Done(0)),
                (_, Found::Effect) => (RowState::Done, Answer::Done(0)),
                (Work::Settle(Aim::Close), _) => (RowState::Closed, Answer::Refused),
                _ => (RowState::Refused, Answer::Refused),
            };
            self.state.places[at].row = to;
            return self.reply(packet, answer);
        }
        // Somebody closed, undid or settled it meanwhile: the row has the answer.
        let decision = mutants::decide(self.world.mutant, row, wire(packet.op), Manner::Outside, true);
        let answer = match decision {
            Decision::Open(_) | Decision::Settle(_) => Answer::NotNow,
            Decision::InProgress => Answer::Unknown,
            settled => self.stored(at, settled),
        };
        self.reply(packet, answer);
    }

    /// The process at the provider dies. What it asked may still arrive there.
    pub(super) fn die(&mut self, place: u8) {
        self.state.faults.deaths -= 1;
        let place = &mut self.state.places[usize::from(place)];
        if let Some(task) = place.task.take() {
            place.under_way |= task.work == Work::Begin && task.found.is_none();
        }
    }

    /// The customer does what was asked for, unless it is too late.
    pub(super) fn finish(&mut self, place: u8) {
        let at = usize::from(place);
        self.state.places[at].waits = false;
        if !self.state.places[at].cancelled {
            self.effect(at);
        }
    }

    /// What a dead process asked of the provider arrives.
    pub(super) fn arrive(&mut self, place: u8) {
        let at = usize::from(place);
        self.state.places[at].under_way = false;
        if !self.state.places[at].cancelled {
            self.effect(at);
        }
    }

    /// Another request under a key that is known: it must be told so, and nothing else.
    pub(super) fn forge(&mut self, place: u8) {
        let (row, step) = (self.state.places[usize::from(place)].row, self.world.step_of(place));
        let manner = self.world.setup.stage.profiles[step].manner;
        let decision = mutants::decide(self.world.mutant, row, wire(Op::Do), manner, false);
        self.hold(Law::KeyBindsRequest, decision == Decision::OtherRequest);
    }

    fn effect(&mut self, at: usize) {
        if self.state.places[at].returned && !self.world.is(Mutant::LateCallDelivers) {
            return;
        }
        let step = self.world.step_of(small(at));
        let pivot = self.world.class(step) == Class::Pivot;
        let promised = self.state.places[at].promised;
        self.hold(if pivot { Law::CaptureOrVoid } else { Law::NoEffectAfterUndo }, !promised);
        self.state.places[at].effects += 1;
        let once = self.state.places[at].effects == 1;
        self.hold(Law::OnceOnly, once);
        if self.world.setup.stage.profiles[step].takes_stock {
            let left = self.state.stock.checked_sub(1);
            self.hold(Law::Stock, left.is_some());
            self.state.stock = left.unwrap_or_default();
        }
    }

    fn take_back(&mut self, at: usize) {
        let (saga, step) = (self.world.saga_of(small(at)), self.world.step_of(small(at)));
        let stood = self.state.places[at].stands();
        self.hold(Law::OnceOnly, stood);
        let definition = &self.world.setup.stage.definition;
        let pivot = definition.pivot.map(|pivot| self.world.place(saga, pivot.index()));
        let captured = pivot.is_some_and(|pivot| self.state.places[pivot].stands());
        self.hold(Law::CaptureOrVoid, !captured);
        for later in definition.steps[step].descendants.iter() {
            let stands = self.state.places[self.world.place(saga, later.index())].stands();
            let ordered = definition.step(later).class == Class::Compensatable;
            let passed = self.was_undo_parked(saga, later.index());
            self.hold(Law::UndoOrder, !stands || !ordered || passed);
        }
        self.state.places[at].taken_back += 1;
        if self.world.setup.stage.profiles[step].takes_stock {
            self.state.stock += 1;
        }
    }
}
