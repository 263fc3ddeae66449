//! A participant that keeps the contract: the barrier table of the design, row by row, around an effect that is
//! counted. It may be slow, silent, unready or dishonest in its replies, but never about what it stored.

use std::collections::BTreeSet;
use std::time::Duration;

use backstitch_core::{Instructions, Op, Outcome, Refusal, StepId};
use bytes::Bytes;
use prost::Message;

use crate::plan::{Answer, Customer, Plan};
use crate::tape::Tape;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Absent,
    Doing,
    Done,
    Refused,
    /// Settling; `undo` once an undo asked for it.
    Closing {
        undo: bool,
    },
    Closed,
    Undone,
}

/// What one participant knows of one step.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) row: Row,
    /// Of the first request: another under the same key would be Broken.
    pub(crate) hash: Option<Bytes>,
    /// How often the effect happened.
    pub(crate) effects: u32,
    /// How often it was taken back.
    pub(crate) taken_back: u32,
}

impl Book {
    pub(crate) fn in_force(&self) -> bool {
        self.effects > self.taken_back
    }
}

/// What a handled call came to.
pub(crate) struct Handled {
    /// Nothing if the reply is lost on the way.
    pub(crate) reply: Option<Outcome>,
    /// The step whose effect was taken back just now.
    pub(crate) took_back: bool,
    /// The request was not the one that its key stands for.
    pub(crate) other_request: bool,
}

pub(crate) struct Participant {
    plan: Plan,
    pub(crate) books: Vec<Book>,
    /// Calls that were promised to have no effect. The promise covers every copy of the call.
    promised: BTreeSet<u64>,
    nonce: u64,
    /// While set, it may be slow, silent, unready and dishonest.
    pub(crate) faulty: bool,
}

fn not_now() -> Outcome {
    Outcome::NotNow { after: Duration::ZERO, why: "not now".into() }
}

fn refused() -> Outcome {
    Outcome::Refused(Refusal::new("NO", "because"))
}

impl Participant {
    pub(crate) fn new(plan: &Plan) -> Self {
        let book = Book { row: Row::Absent, hash: None, effects: 0, taken_back: 0 };
        let books = vec![book; plan.steps.len()];
        Self { plan: plan.clone(), books, promised: BTreeSet::new(), nonce: 100, faulty: true }
    }

    /// Handles one copy of call number `call`.
    pub(crate) fn handle(
        &mut self,
        call: u64,
        step: StepId,
        op: Op,
        request: &Bytes,
        tape: &mut Tape,
    ) -> Handled {
        let (taken_back, book) = (self.books[step.index()].taken_back, &mut self.books[step.index()]);
        let other_request = op != Op::Undo && *book.hash.get_or_insert_with(|| request.clone()) != *request;
        if self.promised.contains(&call) {
            return Handled { reply: Some(not_now()), took_back: false, other_request };
        }
        let reply = match op {
            Op::Do => self.do_it(call, step, tape),
            Op::Undo => self.undo(step, tape),
            Op::Close => self.close(step, tape),
        };
        let took_back = self.books[step.index()].taken_back > taken_back;
        Handled { reply, took_back, other_request }
    }

    fn do_it(&mut self, call: u64, step: StepId, tape: &mut Tape) -> Option<Outcome> {
        let plan = self.plan.steps[step.index()];
        match self.books[step.index()].row {
            Row::Absent => {}
            Row::Doing => {
                // Reads the provider and may settle the row; never a second mutation.
                if self.books[step.index()].in_force() {
                    self.books[step.index()].row = Row::Done;
                    return Some(self.done(step));
                }
                let pending = Outcome::Pending { next_action: Instructions(Bytes::from_static(b"confirm")) };
                return Some(if plan.customer == Customer::None { in_progress() } else { pending });
            }
            Row::Done => return Some(self.done(step)),
            Row::Refused => return Some(refused()),
            Row::Closing { .. } | Row::Closed | Row::Undone => {
                return Some(Outcome::Superseded("settled".into()));
            }
        }
        let may_refuse = !self.plan.is_after_pivot(step);
        // Done, refused, not now, broken before it began, silent or dishonest after the effect.
        match if self.faulty { tape.weighted(&[18, 2, 4, 1, 3, 1]) } else { 0 } {
            1 if may_refuse => return Some(self.refuse(step)),
            2 => {
                self.promised.insert(call);
                return Some(not_now());
            }
            3 => return Some(Outcome::Broken("misconfigured".into())),
            4 => {
                self.run(step);
                return None;
            }
            5 => {
                self.run(step);
                return Some(lie());
            }
            _ => {}
        }
        if plan.refuses {
            return Some(self.refuse(step));
        }
        if plan.customer != Customer::None || (plan.outside && self.faulty && tape.pick(2) == 1) {
            self.books[step.index()].row = Row::Doing;
            let reached = plan.customer == Customer::None && tape.pick(2) == 1;
            if reached {
                self.books[step.index()].effects += 1;
            }
            let pending = Outcome::Pending { next_action: Instructions(Bytes::from_static(b"confirm")) };
            return Some(if plan.customer == Customer::None { in_progress() } else { pending });
        }
        self.run(step);
        Some(self.done(step))
    }

    fn undo(&mut self, step: StepId, tape: &mut Tape) -> Option<Outcome> {
        // A failed undo stores nothing.
        match if self.faulty { tape.weighted(&[12, 2, 2, 1]) } else { 0 } {
            1 => return Some(not_now()),
            2 => return None,
            3 => return Some(Outcome::Broken("misconfigured".into())),
            _ => {}
        }
        let outside = self.plan.steps[step.index()].outside && self.faulty && tape.pick(3) == 1;
        let book = &mut self.books[step.index()];
        match book.row {
            Row::Absent => book.row = Row::Closed,
            Row::Doing | Row::Closing { .. } => book.row = Row::Closing { undo: true },
            Row::Done if outside => book.row = Row::Closing { undo: true },
            Row::Done => (book.row, book.taken_back) = (Row::Undone, book.taken_back + 1),
            Row::Refused | Row::Closed | Row::Undone => {}
        }
        if matches!(book.row, Row::Closing { .. }) { Some(not_now()) } else { self.silent(tape, nothing()) }
    }

    fn close(&mut self, step: StepId, tape: &mut Tape) -> Option<Outcome> {
        match if self.faulty { tape.weighted(&[12, 2, 2, 1]) } else { 0 } {
            1 => return Some(not_now()),
            2 => return None,
            3 => return Some(lie()),
            _ => {}
        }
        let book = &mut self.books[step.index()];
        let answer = match book.row {
            Row::Absent => {
                book.row = Row::Closed;
                refused()
            }
            Row::Doing => {
                book.row = Row::Closing { undo: false };
                not_now()
            }
            Row::Closing { .. } => not_now(),
            Row::Done => self.done(step),
            Row::Refused | Row::Closed | Row::Undone => refused(),
        };
        self.silent(tape, answer)
    }

    /// The participant's own tick takes up a row whose task is gone. True if that changed anything.
    pub(crate) fn settle(&mut self, step: StepId, tape: &mut Tape) -> bool {
        let (plan, may_refuse) = (self.plan.steps[step.index()], !self.plan.is_after_pivot(step));
        let book = &mut self.books[step.index()];
        let late = self.faulty && tape.pick(4) == 1;
        match book.row {
            Row::Doing => match plan.customer {
                Customer::Vanishes => return false,
                Customer::Fails => book.row = Row::Refused,
                Customer::Finishes => (book.row, book.effects) = (Row::Done, book.effects + 1),
                Customer::None if book.in_force() => book.row = Row::Done,
                Customer::None if late && may_refuse => book.row = Row::Refused,
                Customer::None => (book.row, book.effects) = (Row::Done, book.effects + 1),
            },
            // The provider was slow: the effect comes after all, before it could be made impossible.
            Row::Closing { .. } if late && book.effects == 0 => book.effects += 1,
            Row::Closing { undo: true } if book.in_force() => {
                (book.row, book.taken_back) = (Row::Undone, book.taken_back + 1);
            }
            Row::Closing { undo: false } if book.in_force() => book.row = Row::Done,
            Row::Closing { .. } => book.row = Row::Closed,
            Row::Absent | Row::Done | Row::Refused | Row::Closed | Row::Undone => return false,
        }
        true
    }

    fn run(&mut self, step: StepId) {
        let barrier = self.plan.has_barrier(step);
        let book = &mut self.books[step.index()];
        book.effects += 1;
        book.row = if barrier { Row::Done } else { Row::Absent };
    }

    fn refuse(&mut self, step: StepId) -> Outcome {
        if self.plan.has_barrier(step) {
            self.books[step.index()].row = Row::Refused;
        }
        refused()
    }

    /// The stored answer; or a fresh one where answers may differ.
    fn done(&mut self, step: StepId) -> Outcome {
        let same = u64::try_from(step.index()).unwrap() + 1;
        self.nonce += 1;
        let nonce = if self.plan.steps[step.index()].may_differ { self.nonce } else { same };
        Outcome::Done(Answer { nonce, lies: false }.encode_to_vec().into())
    }

    /// The reply may be lost although the work is done.
    fn silent(&mut self, tape: &mut Tape, outcome: Outcome) -> Option<Outcome> {
        (!self.faulty || tape.pick(8) != 1).then_some(outcome)
    }
}

fn in_progress() -> Outcome {
    Outcome::unknown("in progress")
}

fn nothing() -> Outcome {
    Outcome::Done(Bytes::new())
}

fn lie() -> Outcome {
    Outcome::Done(Answer { nonce: 0, lies: true }.encode_to_vec().into())
}
