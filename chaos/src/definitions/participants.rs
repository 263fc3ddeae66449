//! Participants in memory: the kit's own barrier table around effects that are counted.

use backstitch_core::{Class, Op, Outcome, Refusal, StepId, StepSet};
use backstitch_proto::contract;
use bytes::Bytes;
use participant_kit::barrier::table::{Aim, Decision, Manner, RowState};

use super::law::{Checked, Law, Violation, hold};
use super::samples::Stage;

/// How a participant means to take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Will {
    Willing,
    Refuses,
    /// The customer has to act, and will.
    Waits,
    /// The customer has to act, and never will.
    Forsaken,
    DiesBefore,
    DiesAfter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Customer {
    NotAsked,
    Finishes,
    NeverFinishes,
}

/// What the participant of one step knows of it.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) row: RowState,
    pub(super) effects: u32,
    pub(super) taken_back: u32,
    /// How often its own tick has met it open.
    met: u8,
    /// Somebody was promised that the effect is gone or never happens.
    settled_against: bool,
    request: Option<Bytes>,
    undo_request: Option<Bytes>,
    answered: usize,
    customer: Customer,
}

impl Book {
    pub(super) fn stands(&self) -> bool {
        self.effects > self.taken_back
    }
}

/// One participant per step.
#[derive(Clone, Debug)]
pub(super) struct Participants {
    books: Vec<Book>,
}

fn refused(why: &str) -> Outcome {
    Outcome::Refused(Refusal::new("REFUSED", why))
}

fn done() -> Outcome {
    Outcome::Done(Bytes::new())
}

impl Participants {
    pub(super) fn new(stage: &Stage<'_>) -> Self {
        let book = Book {
            row: RowState::Absent,
            effects: 0,
            taken_back: 0,
            met: 0,
            settled_against: false,
            request: None,
            undo_request: None,
            answered: 0,
            customer: Customer::NotAsked,
        };
        Self { books: vec![book; stage.steps.len()] }
    }

    pub(super) fn book(&self, step: StepId) -> &Book {
        &self.books[step.index()]
    }

    /// The customer is being waited for in vain.
    pub(super) fn is_forsaken(&self, step: StepId) -> bool {
        let book = self.book(step);
        book.row == RowState::Doing && book.customer == Customer::NeverFinishes
    }

    /// A call arrives; what is answered, if anything. `passed`: steps whose undo is parked.
    pub(super) fn arrive(
        &mut self,
        stage: &Stage<'_>,
        passed: StepSet,
        (step, op): (StepId, Op),
        request: &Bytes,
        will: Will,
    ) -> Checked<Option<Outcome>> {
        self.same_request(stage, step, op, request)?;
        if op == Op::Undo {
            self.before_pivot(stage, step)?;
        }
        let sample = stage.step(step);
        if !sample.has_barrier() {
            return Ok(Some(if op == Op::Undo { done() } else { self.answer(stage, step) }));
        }
        let manner = if sample.outside { Manner::Outside } else { Manner::Local };
        let wire = match op {
            Op::Do => contract::Op::Do,
            Op::Undo => contract::Op::Undo,
            Op::Close => contract::Op::Close,
        };
        let decision = (stage.barrier)(self.book(step).row, wire, manner, true);
        let dies = matches!(will, Will::DiesBefore | Will::DiesAfter);
        let answer = match decision {
            Decision::Perform if op == Op::Do => return self.begin(stage, step, will),
            Decision::Replay if self.book(step).row == RowState::Refused => refused("as before"),
            Decision::Replay => self.answer(stage, step),
            Decision::InProgress => self.look(stage, step)?,
            Decision::TakeBack => {
                self.take_back(stage, passed, step)?;
                self.settled(step, RowState::Undone);
                done()
            }
            Decision::Open(aim) => {
                self.books[step.index()].row = RowState::Closing(aim);
                if dies {
                    if will == Will::DiesAfter && aim == Aim::Undo && self.book(step).stands() {
                        self.take_back(stage, passed, step)?;
                    }
                    return Ok(None);
                }
                self.settle(stage, passed, step, aim)?
            }
            // Somebody asks to settle a doubt about what is being undone.
            Decision::Settle(Aim::Undo) if op == Op::Close => not_now("it is being undone"),
            Decision::Settle(aim) => self.settle(stage, passed, step, aim)?,
            Decision::Bury => {
                self.settled(step, RowState::Closed);
                if op == Op::Undo { done() } else { refused("closed before it happened") }
            }
            Decision::Success => {
                self.books[step.index()].settled_against = true;
                done()
            }
            Decision::NeverHappens => {
                self.books[step.index()].settled_against = true;
                refused("it never happens")
            }
            Decision::Superseded => Outcome::Superseded("settled against it".into()),
            Decision::OtherRequest => Outcome::Broken("the same key with another request".into()),
            Decision::Misfit | Decision::Perform => Outcome::Broken(format!("{decision:?} for {op}")),
        };
        Ok(Some(answer))
    }

    /// The participants' own ticks: rows whose task is gone are settled. Not at the first sight of them, so that
    /// repeated calls meet them open too.
    pub(super) fn tick(&mut self, stage: &Stage<'_>, passed: StepSet) -> Checked {
        for step in stage.definition.step_ids() {
            let stands = self.book(step).stands();
            let book = &mut self.books[step.index()];
            if matches!(book.row, RowState::Doing | RowState::Closing(_)) {
                book.met = book.met.saturating_add(1);
            }
            match book.row {
                _ if book.met < 2 => {}
                RowState::Doing if stands => book.row = RowState::Done,
                // Nobody will ever reach the provider for it: its object is cancelled, and that is final.
                RowState::Doing if book.customer == Customer::NotAsked => book.row = RowState::Refused,
                RowState::Closing(aim) => {
                    self.settle(stage, passed, step, aim)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self, stage: &Stage<'_>, step: StepId, will: Will) -> Checked<Option<Outcome>> {
        hold(Law::NeverAfterUndo, !self.book(step).settled_against, || {
            format!("{} happens after somebody was promised that it never will", stage.name(step))
        })?;
        let pending = || Outcome::Done(stage.step(step).pending.clone().unwrap_or_default());
        let (row, customer, answer) = match will {
            Will::Willing => {
                self.happen(stage, step)?;
                (RowState::Done, Customer::NotAsked, Some(self.answer(stage, step)))
            }
            Will::Refuses => (RowState::Refused, Customer::NotAsked, Some(refused("the business says no"))),
            Will::Waits => (RowState::Doing, Customer::Finishes, Some(pending())),
            Will::Forsaken => (RowState::Doing, Customer::NeverFinishes, Some(pending())),
            Will::DiesBefore => (RowState::Doing, Customer::NotAsked, None),
            Will::DiesAfter => {
                self.happen(stage, step)?;
                (RowState::Doing, Customer::NotAsked, None)
            }
        };
        let book = &mut self.books[step.index()];
        (book.row, book.customer) = (row, customer);
        Ok(answer)
    }

    /// A repeated do of what is under way: reads the provider, never a second mutation.
    fn look(&mut self, stage: &Stage<'_>, step: StepId) -> Checked<Outcome> {
        let customer = self.book(step).customer;
        if customer == Customer::Finishes && !self.book(step).stands() {
            self.happen(stage, step)?;
        }
        if self.book(step).stands() {
            self.books[step.index()].row = RowState::Done;
            return Ok(self.answer(stage, step));
        }
        Ok(match &stage.step(step).pending {
            Some(pending) if customer == Customer::NeverFinishes => Outcome::Done(pending.clone()),
            _ => Outcome::unknown("an attempt is under way"),
        })
    }

    fn settle(&mut self, stage: &Stage<'_>, passed: StepSet, step: StepId, aim: Aim) -> Checked<Outcome> {
        let stands = self.book(step).stands();
        Ok(match (aim, stands) {
            (Aim::Close, true) => {
                self.books[step.index()].row = RowState::Done;
                self.answer(stage, step)
            }
            (Aim::Close, false) => {
                self.settled(step, RowState::Closed);
                refused("made impossible")
            }
            (Aim::Undo, true) => {
                self.take_back(stage, passed, step)?;
                self.settled(step, RowState::Undone);
                done()
            }
            (Aim::Undo, false) => {
                let was_here = self.book(step).effects > 0;
                self.settled(step, if was_here { RowState::Undone } else { RowState::Closed });
                done()
            }
        })
    }

    fn settled(&mut self, step: StepId, row: RowState) {
        let book = &mut self.books[step.index()];
        (book.row, book.settled_against) = (row, true);
    }

    /// The stored answer; where there is no barrier, the next one.
    fn answer(&mut self, stage: &Stage<'_>, step: StepId) -> Outcome {
        let (sample, book) = (stage.step(step), &mut self.books[step.index()]);
        let n = if sample.has_barrier() { 0 } else { book.answered };
        book.answered += 1;
        Outcome::Done(sample.answer(n))
    }

    /// The effect.
    fn happen(&mut self, stage: &Stage<'_>, step: StepId) -> Checked {
        let book = &mut self.books[step.index()];
        book.effects += 1;
        let effects = book.effects;
        hold(Law::OnceOnly, effects == 1, || format!("{} happened {effects} times", stage.name(step)))?;
        if stage.step(step).leaves_nothing {
            return Ok(());
        }
        let needs = stage.definition.step(step).after.iter().map(StepId::index);
        for needed in needs.chain(stage.step(step).needs.iter().copied()) {
            let stands = stage.steps[needed].leaves_nothing || self.books[needed].stands();
            hold(Law::NeedsStand, stands, || {
                let other = stage.definition.steps[needed].name;
                format!("{} happened while {other}, which it needs, did not stand", stage.name(step))
            })?;
        }
        Ok(())
    }

    fn take_back(&mut self, stage: &Stage<'_>, passed: StepSet, step: StepId) -> Checked {
        let name = stage.name(step);
        hold(Law::UndoneOnce, self.book(step).stands(), || {
            format!("{name} was taken back and did not stand")
        })?;
        for later in stage.definition.step_ids() {
            let depends = stage.definition.step(later).ancestors.contains(step);
            let needs = stage.step(later).needs.contains(&step.index());
            // What has no undo is no matter of order; the end tells whether it was a matter at all.
            let has_no_undo = matches!(stage.definition.step(later).class, Class::NeedsNoUndo(_));
            let excused = passed.contains(later) || has_no_undo;
            if !(depends || needs) || excused || !self.book(later).stands() {
                continue;
            }
            let (law, how) =
                if depends { (Law::UndoOrder, "depends on") } else { (Law::NeedsStand, "needs") };
            let why = format!("{name} was taken back while {}, which {how} it, stood", stage.name(later));
            return Err(Violation { law, why });
        }
        self.books[step.index()].taken_back += 1;
        Ok(())
    }

    fn before_pivot(&self, stage: &Stage<'_>, step: StepId) -> Checked {
        let Some(pivot) = stage.definition.pivot else { return Ok(()) };
        hold(Law::NothingUndoneAfterPivot, !self.book(pivot).stands(), || {
            format!("{} is to be undone while {} stands", stage.name(step), stage.name(pivot))
        })
    }

    fn same_request(&mut self, stage: &Stage<'_>, step: StepId, op: Op, request: &Bytes) -> Checked {
        let book = &mut self.books[step.index()];
        let known = if op == Op::Undo { &mut book.undo_request } else { &mut book.request };
        let known = known.get_or_insert_with(|| request.clone());
        hold(Law::SameRequest, known == request, || {
            format!(
                "the {op} of {} was asked with {known:?} and is asked again with {request:?}",
                stage.name(step)
            )
        })
    }
}

fn not_now(why: &str) -> Outcome {
    Outcome::NotNow { after: std::time::Duration::ZERO, why: why.into() }
}
