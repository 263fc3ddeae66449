//! The one table of transitions.
//!
//! | state | event | becomes |
//! |---|---|---|
//! | nothing | [`begin`] | started; nothing is called yet |
//! | any prefix of a journal | `Own` | what is not settled is called, again by the same key; a lost turn is taken again |
//! | calling do | Done | step done; whoever waited for it may start |
//! | calling do | Refused | before or at the pivot: turn back; after it: parked (it must not refuse) |
//! | calling do | NotNow, Unknown | called again by policy, not before the time that it names; budget spent: before the pivot turn back, at it close, after it parked |
//! | calling do | Pending | waiting for the customer, asked again at growing intervals; its deadline passed: as if its budget were spent |
//! | calling do | Broken, Superseded | parked |
//! | calling close | Done, Refused | step done; turn back |
//! | calling close | NotNow, Unknown, Pending | called again by policy; budget spent: parked |
//! | calling close | Broken, Superseded | parked |
//! | calling undo | Done | undone; what it depended on may be undone now; nothing left: compensated |
//! | calling undo | NotNow, Unknown, Pending | called again by policy; budget spent: parked, the others go on |
//! | calling undo | Broken, Superseded, Refused (no undo may be refused) | parked, the others go on |
//! | forward, pivot not begun | `Cancel` | turn back, also from parked |
//! | forward, pivot not begun | `DeadlinePassed` | turn back, its own deadline or an offer's end; parked: nothing, it waits for its person; too early: armed again |
//! | forward, pivot begun | `DeadlinePassed` | nothing: the deadline is off |
//! | forward, pivot begun | `Cancel` | refused with [`Illegal::PivotBegun`] |
//! | waiting for the customer | `Wake` | asked again now |
//! | parked | `Resume` | what was parked is called again |
//! | parked by silence at a participant | `Available` | that is called again |
//! | called again later, at a participant | `Available` | that is called again now |
//! | not ended | `Note` | noted; the same text again: nothing; one more than [`MAX_NOTES`]: refused with [`Illegal::FullOfNotes`] |
//! | parked, pivot done, nothing being called | `MakeGood` | no call is made any more: a return makes it good |
//! | restored from a backup, pivot not begun | `Own`; poisoned: `Resume` | every open step up to the pivot that is remembered is closed |
//! | being settled so | all closes Done; one Refused | it goes on from the pivot; turn back |
//! | being settled so | `DeadlinePassed` | nothing |
//! | being settled so | `Cancel` | refused with [`Illegal::Settling`] |
//! | being settled so, a step that needs no undo and remembers nothing | Refused, budget spent | parked: it may have been done before |
//! | restored, calling the pivot to do | Superseded | closed |
//! | made good | `Resume`, `MakeGood` | refused with [`Illegal::BeingMadeGood`] |
//! | made good | `Returned` | its return is completed: completed; it turned back: parked as a whole |
//! | not ended | `Poison` | parked as a whole: nothing is called until it is resumed or cancelled; one that is settled after a restore: resumed |
//! | any | a late reply, a stale timer, a wake-up of what does not wait, the end of a return that makes nothing good | nothing: known harmless |
//!
//! A pair that is not listed is an error with a name ([`Illegal`]).

mod advance;
mod reply;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::definition::{Definition, StepId, StepSet};
use crate::outcome::{Op, Outcome};
use crate::record::{Cause, Entry, Record};
use crate::saga::{Activity, Direction, End, Saga, Settled, Start, StepState};
use crate::time::Timestamp;

/// Something that happened to a saga.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// This owner has it now, freshly started or read from its journal.
    Own {
        /// A former owner may have made calls.
        recovered: bool,
    },
    /// A call was answered, or given up.
    Replied {
        /// Of which step.
        step: StepId,
        /// What was asked.
        op: Op,
        /// Which attempt.
        attempt: u32,
        /// What it came to.
        outcome: Outcome,
    },
    /// A call's waiting time is over.
    RetryDue {
        /// Of which step.
        step: StepId,
        /// What will be asked.
        op: Op,
        /// Which attempt.
        attempt: u32,
    },
    /// The saga's deadline has come.
    DeadlinePassed,
    /// Somebody wants it taken back.
    Cancel {
        /// Who and why.
        why: String,
    },
    /// Something that a step waits for may have happened.
    Wake,
    /// A person sets what is parked going again.
    Resume {
        /// Who and why.
        why: String,
    },
    /// A participant answers again, or has come to know more: what is parked only because it was silent is tried again, and
    /// what is to be called again later is called now.
    Available {
        /// Which.
        participant: String,
    },
    /// Somebody found something that a person should see.
    Note {
        /// What.
        text: String,
    },
    /// A person decides that what is not done will not be done: it is returned instead.
    MakeGood {
        /// Who and why.
        why: String,
        /// The return that does it.
        return_saga: Uuid,
    },
    /// The return that makes it good has ended.
    Returned {
        /// Which.
        return_saga: Uuid,
        /// How.
        end: End,
        /// If it turned back, why.
        why: String,
    },
    /// Running the saga failed in a way that running it again would repeat.
    Poison {
        /// What failed.
        why: String,
    },
}

/// A call to make.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// Of which step.
    pub step: StepId,
    /// What to ask.
    pub op: Op,
    /// From 1 per (step, op) and owner.
    pub attempt: u32,
    /// The encoded request.
    pub request: Bytes,
    /// Longest wait; travels as the gRPC deadline.
    pub timeout: Duration,
    /// Not before this record is durable; and not at all if by then the step is doing something else than this
    /// attempt (see [`Activity::Calling`]): a saga that has turned back sends no forward call any more.
    pub after: u32,
}

/// The largest request that is sent: what every participant can be relied on to take. A larger one parks its step.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;

/// The most notes on one saga: whoever notes something new of it again and again does not make its journal long.
pub const MAX_NOTES: usize = 100;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Call a participant and bring back [`Event::Replied`].
    Call(Call),
    /// Bring [`Event::RetryDue`] at this time.
    Timer {
        /// Of which step.
        step: StepId,
        /// What will be asked.
        op: Op,
        /// Which attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// Bring [`Event::DeadlinePassed`] at this time.
    Deadline(Timestamp),
    /// Nothing more will happen by itself: it ended, or everything left is parked.
    Rest,
}

/// What a transition asks for: records first, in this order, then effects as their records allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transition {
    /// To append, numbered from the saga's former `seq` + 1.
    pub records: Vec<Entry>,
    /// To do.
    pub effects: Vec<Effect>,
}

/// An event that the state does not allow. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// Cancelled after the capture had begun.
    #[error("the pivot has begun; from then on it only goes forward")]
    PivotBegun,
    /// Cancelled, poisoned or noted after the end.
    #[error("the saga has ended")]
    Ended(End),
    /// A reply to a call that was never made.
    #[error("a reply to {op} attempt {attempt} of step {step}, which was never made")]
    NeverCalled {
        /// The step's place.
        step: usize,
        /// What it says was asked.
        op: Op,
        /// Which attempt it says it was.
        attempt: u32,
    },
    /// A step that the definition does not have.
    #[error("step {0} does not exist")]
    NoSuchStep(usize),
    /// Resumed or made good while nothing is parked.
    #[error("nothing of the saga is parked")]
    NotParked,
    /// Made good although its definition names no return for that.
    #[error("no return makes a saga of this definition good")]
    NoReturn,
    /// Made good before the pivot is done: there is nothing to return.
    #[error("its pivot is not done; before that there is nothing to return")]
    PivotNotDone,
    /// Made good while something of it is being called: whatever that comes to would come on top of the return.
    #[error("step {0} is being called right now; decide again when it is answered")]
    InFlight(usize),
    /// Noted once more than is kept.
    #[error("it has {MAX_NOTES} notes already")]
    FullOfNotes,
    /// Cancelled while its participants are asked how far it came: whether it may turn back is what they are asked.
    #[error(
        "it was restored from a backup, and its participants are being asked how far it came; ask again when they have answered"
    )]
    Settling,
    /// Resumed or made good while a return makes it good.
    #[error("return {0} makes it good; nothing else is done about it meanwhile")]
    BeingMadeGood(Uuid),
}

/// Starts a saga: its state and first record. Give it [`Event::Own`] to set it going.
pub fn begin(
    definition: &Definition,
    id: Uuid,
    root: Uuid,
    input: Bytes,
    traceparent: String,
    now: Timestamp,
) -> (Saga, Entry) {
    let start = Start {
        definition: definition.name.to_owned(),
        version: definition.version,
        fingerprint: Bytes::copy_from_slice(&definition.fingerprint),
        input,
        deadline: now.plus(definition.deadline),
        traceparent,
        root,
    };
    let entry = Entry { at: now, record: Record::Started(Box::new(start)) };
    let saga = Saga::started(definition, id, &entry).expect("the record above is `started`");
    (saga, entry)
}

/// The table. `jitter` is uniform over all of `u32`. On an error nothing has changed.
pub fn next(
    definition: &Definition,
    saga: &mut Saga,
    event: Event,
    now: Timestamp,
    jitter: u32,
) -> Result<Transition, Illegal> {
    let mut turn = Turn { definition, saga, now, jitter, out: Transition::default() };
    match event {
        Event::Own { recovered } => turn.own(recovered),
        Event::Replied { step, op, attempt, outcome } => {
            turn.check(step, op, attempt)?;
            if turn.saga.step(step).activity == (Activity::Calling { op, attempt }) {
                turn.replied(step, op, outcome);
            }
        }
        Event::RetryDue { step, op, attempt } => {
            turn.check_step(step)?;
            let due = |a: &Activity| matches!(a, Activity::BackingOff { op: o, attempt: n, .. } if (*o, *n) == (op, attempt));
            if due(&turn.saga.step(step).activity) {
                turn.retry(step, op);
            }
        }
        Event::DeadlinePassed => turn.deadline_passed(),
        Event::Cancel { why } => turn.cancel(why)?,
        Event::Wake => turn.wake(),
        Event::Resume { why } => turn.resume(why)?,
        Event::Available { participant } => turn.available(&participant),
        Event::Note { text } => turn.note(text)?,
        Event::MakeGood { why, return_saga } => turn.make_good(why, return_saga)?,
        Event::Returned { return_saga, end, why } => turn.returned(return_saga, end, why),
        Event::Poison { why } => turn.poison(why)?,
    }
    let out = turn.out;
    Ok(out)
}

/// One transition being worked out.
struct Turn<'a> {
    definition: &'a Definition,
    saga: &'a mut Saga,
    now: Timestamp,
    jitter: u32,
    out: Transition,
}

impl Turn<'_> {
    fn record(&mut self, record: Record) {
        let entry = Entry { at: self.now, record };
        // The table produces records only where the fold takes them; anything else is a bug here.
        self.saga.fold(&entry).expect("the table's own record folds");
        self.out.records.push(entry);
    }

    fn check_step(&self, step: StepId) -> Result<(), Illegal> {
        if step.index() < self.saga.steps.len() { Ok(()) } else { Err(Illegal::NoSuchStep(step.index())) }
    }

    fn check(&self, step: StepId, op: Op, attempt: u32) -> Result<(), Illegal> {
        self.check_step(step)?;
        let state = self.saga.step(step);
        let made = if op == Op::Undo { state.undo_attempts } else { state.attempts };
        if attempt == 0 || attempt > made {
            return Err(Illegal::NeverCalled { step: step.index(), op, attempt });
        }
        Ok(())
    }

    fn own(&mut self, recovered: bool) {
        // Owned again or not, no doubt is forgotten.
        self.saga.recovered |= recovered;
        for step in &mut self.saga.steps {
            step.maybe_run |= matches!(step.activity, Activity::Calling { op: Op::Do, .. });
            step.activity = Activity::Idle;
            (step.attempts, step.undo_attempts) = (0, 0);
            (step.since, step.spent) = (self.now, 0);
            step.first_called = None;
        }
        self.settle();
        self.arm_deadline();
        self.advance();
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.saga.end.is_none() && self.saga.direction == Direction::Forward
    }

    fn arm_deadline(&mut self) {
        if self.is_under_way() && self.saga.pivot_intent.is_none() && !self.saga.is_settling(self.definition)
        {
            self.out.effects.push(Effect::Deadline(self.saga.deadline(self.definition).0));
        }
    }

    /// The shell waits by a monotonic clock, so that it may come early by the wall clock that decides.
    fn deadline_passed(&mut self) {
        if self.now < self.saga.deadline(self.definition).0 { self.arm_deadline() } else { self.advance() }
    }

    fn cancel(&mut self, why: String) -> Result<(), Illegal> {
        match (self.saga.end, &self.saga.direction, self.saga.pivot_intent) {
            (Some(end), ..) => Err(Illegal::Ended(end)),
            (None, Direction::Back(_), _) => Ok(()),
            (None, Direction::Forward, Some(_)) => Err(Illegal::PivotBegun),
            (None, Direction::Forward, None) if self.saga.may_have_gone_on(self.definition) => {
                Err(Illegal::Settling)
            }
            (None, Direction::Forward, None) => {
                self.turn_back(Cause::Cancelled(why));
                self.advance();
                Ok(())
            }
        }
    }

    fn wake(&mut self) {
        for id in self.definition.step_ids() {
            let step = self.saga.step(id);
            if let (Some(_), Activity::BackingOff { op: Op::Do, .. }) = (&step.waiting, &step.activity) {
                self.retry(id, Op::Do);
            }
        }
    }

    fn resume(&mut self, why: String) -> Result<(), Illegal> {
        if let (None, Some(good)) = (self.saga.end, &self.saga.made_good) {
            return Err(Illegal::BeingMadeGood(good.return_saga));
        }
        if self.saga.end.is_some() || !self.saga.is_parked() {
            return Err(Illegal::NotParked);
        }
        self.record(Record::Resumed { why, only: StepSet::EMPTY });
        self.settle();
        self.advance();
        Ok(())
    }

    fn available(&mut self, participant: &str) {
        let only = self.saga.silenced_by(self.definition, participant);
        // One that is poisoned as a whole would go nowhere; its person resumes all of it. One that is made good goes nowhere.
        let moves = self.saga.poisoned.is_none() && self.saga.made_good.is_none();
        if self.saga.end.is_none() && moves && !only.is_empty() {
            self.record(Record::Resumed { why: format!("{participant} answers again"), only });
            self.advance();
        }
        // After the record of what is resumed, for which every call from now on waits.
        for id in self.definition.step_ids() {
            if self.definition.step(id).participant == participant
                && let Activity::BackingOff { op, .. } = self.saga.step(id).activity
            {
                self.retry(id, op);
            }
        }
    }

    fn note(&mut self, text: String) -> Result<(), Illegal> {
        if let Some(end) = self.saga.end {
            return Err(Illegal::Ended(end));
        }
        if self.saga.notes.iter().any(|note| note.text == text) {
            return Ok(());
        }
        if self.saga.notes.len() >= MAX_NOTES {
            return Err(Illegal::FullOfNotes);
        }
        self.record(Record::Noted { text });
        Ok(())
    }

    fn make_good(&mut self, why: String, return_saga: Uuid) -> Result<(), Illegal> {
        let saga = &*self.saga;
        if let Some(end) = saga.end {
            return Err(Illegal::Ended(end));
        }
        if self.definition.remedy.is_none() {
            return Err(Illegal::NoReturn);
        }
        if let Some(good) = &saga.made_good {
            return Err(Illegal::BeingMadeGood(good.return_saga));
        }
        let pivot = self.definition.pivot.map(|pivot| &saga.step(pivot).settled);
        if saga.direction != Direction::Forward || !matches!(pivot, Some(Settled::Done { .. })) {
            return Err(Illegal::PivotNotDone);
        }
        if !saga.is_parked() {
            return Err(Illegal::NotParked);
        }
        let called = |step: &StepState| matches!(step.activity, Activity::Calling { .. });
        if let Some(step) = saga.steps.iter().position(called) {
            return Err(Illegal::InFlight(step));
        }
        // What waited for its next attempt gets none.
        for step in &mut self.saga.steps {
            step.activity = Activity::Idle;
        }
        self.record(Record::MadeGood { why, return_saga });
        self.advance();
        Ok(())
    }

    fn returned(&mut self, return_saga: Uuid, end: End, why: String) {
        let by_it = self.saga.made_good.as_ref().is_some_and(|good| good.return_saga == return_saga);
        if self.saga.end.is_some() || !by_it {
            return;
        }
        self.record(match end {
            End::Completed => Record::Completed,
            End::Compensated => Record::NotMadeGood { why },
        });
        self.advance();
    }

    fn poison(&mut self, why: String) -> Result<(), Illegal> {
        if let Some(end) = self.saga.end {
            return Err(Illegal::Ended(end));
        }
        for step in &mut self.saga.steps {
            // Sent, or about to be: no answer will be listened to.
            step.maybe_run |= matches!(step.activity, Activity::Calling { op: Op::Do, .. });
            step.activity = Activity::Idle;
        }
        if self.saga.poisoned.is_none() {
            self.record(Record::Poisoned { why });
        }
        self.out.effects.push(Effect::Rest);
        Ok(())
    }
}
