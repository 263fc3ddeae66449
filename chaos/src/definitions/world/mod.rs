//! One saga, its journal, its participants and what is under way between them.

mod end;
mod strike;

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use backstitch_core::{
    Activity, Call, Direction, Effect, Entry, Event, Illegal, Op, Outcome, Record, Saga, StepId, StepSet,
    Timestamp, begin, explain, next,
};

use super::law::{Checked, Law, Violation, hold};
use super::participants::{Participants, Will};
use super::samples::{SAGA, Stage};
use super::sent;
use super::story::{Line, Suffered};

/// More transitions than any saga needs, even with every budget spent.
const ENDLESS: u32 = 20_000;
/// Delays at their longest: whole, and the same in every run.
const JITTER: u32 = u32::MAX;

/// An answer on its way back.
#[derive(Clone)]
struct Reply {
    step: StepId,
    op: Op,
    attempt: u32,
    outcome: Outcome,
    /// How long it takes.
    takes: Duration,
}

/// In which order things happen that are independent of each other. Between the two lie all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Every call is let out before any answer in, and no record is written before somebody waits for it: as much as
    /// the safety table allows is under way, and would be lost, at any time.
    Riding,
    /// Every record is durable at once, and every call is answered before the next is sent.
    Stepwise,
}

/// What happens next, when nothing goes wrong.
pub(super) enum Due {
    /// The queued call at this place is sent.
    Send(usize),
    /// An answer is heard.
    Hear,
    /// The next record becomes durable.
    Commit,
    /// Time passes until the next timer.
    Ring,
    /// Everything left is parked.
    Person,
    /// The saga has ended, durably.
    End,
}

#[derive(Clone)]
pub(super) struct World<'s> {
    pub(super) stage: &'s Stage<'s>,
    rhythm: Rhythm,
    pub(super) saga: Saga,
    pub(super) journal: Vec<Entry>,
    /// So many records of the journal would survive a crash.
    pub(super) durable: usize,
    pub(super) participants: Participants,
    pub(super) schedule: Vec<Suffered>,
    pub(super) story: Vec<Line>,
    queue: Vec<Call>,
    replies: VecDeque<Reply>,
    slow: VecDeque<Reply>,
    timers: Vec<(Timestamp, Event)>,
    /// Copies that arrive after the next call of their step, and those that arrive after the end.
    echoes: Vec<Call>,
    late: Vec<Call>,
    now: Timestamp,
    transitions: u32,
    pauses: usize,
    parked: usize,
}

impl<'s> World<'s> {
    /// A saga that was accepted: its first record is durable.
    pub(super) fn new(stage: &'s Stage<'s>, rhythm: Rhythm) -> Checked<Self> {
        let start = Timestamp(0);
        let (saga, first) = begin(stage.definition, SAGA, SAGA, stage.input.clone(), String::new(), start);
        let mut world = Self {
            stage,
            rhythm,
            saga,
            journal: vec![first],
            durable: 1,
            participants: Participants::new(stage),
            schedule: Vec::new(),
            story: Vec::new(),
            queue: Vec::new(),
            replies: VecDeque::new(),
            slow: VecDeque::new(),
            timers: Vec::new(),
            echoes: Vec::new(),
            late: Vec::new(),
            now: start,
            transitions: 0,
            pauses: 0,
            parked: 0,
        };
        world.feed(Event::Own { recovered: false })?;
        Ok(world)
    }

    /// What happens next. Slow answers come, and time passes, only when nothing else can happen.
    pub(super) fn due(&mut self) -> Due {
        let saga = &self.saga;
        self.queue.retain(|call| {
            saga.step(call.step).activity == Activity::Calling { op: call.op, attempt: call.attempt }
        });
        let send = self.queue.iter().position(|call| call.after as usize <= self.durable).map(Due::Send);
        let hear = (!self.replies.is_empty()).then_some(Due::Hear);
        let commit = (self.durable < self.journal.len()).then_some(Due::Commit);
        let next = match self.rhythm {
            Rhythm::Riding => send.or(hear).or(commit),
            Rhythm::Stepwise => commit.or(hear).or(send),
        };
        next.unwrap_or_else(|| match self.saga.end {
            _ if !self.slow.is_empty() => Due::Hear,
            Some(_) => Due::End,
            None if self.saga.steps.iter().all(|step| step.activity == Activity::Idle) => Due::Person,
            None => Due::Ring,
        })
    }

    pub(super) fn was_parked(&self) -> bool {
        self.parked > 0
    }

    pub(super) fn transitions(&self) -> u32 {
        self.transitions
    }

    /// Sends the call at this place, and nothing goes wrong.
    pub(super) fn send(&mut self, place: usize) -> Checked {
        let call = self.take(place)?;
        self.arrive_and_reply(&call, Will::Willing)
    }

    pub(super) fn commit(&mut self) {
        self.durable += 1;
    }

    pub(super) fn hear(&mut self) -> Checked {
        match self.replies.pop_front().or_else(|| self.slow.pop_front()) {
            Some(reply) => self.hear_one(reply),
            None => Ok(()),
        }
    }

    fn hear_one(&mut self, Reply { step, op, attempt, outcome, takes }: Reply) -> Checked {
        self.now = self.now.plus(takes);
        self.feed(Event::Replied { step, op, attempt, outcome })
    }

    /// Time passes until the next timer; the participants' own ticks come before it.
    pub(super) fn ring(&mut self) -> Checked {
        self.pauses += 1;
        let passed = self.passed();
        self.participants.tick(self.stage, passed)?;
        let first = (0..self.timers.len()).min_by_key(|place| self.timers[*place].0);
        let Some(place) = first else {
            let why = format!("nothing will ever happen: {}", explain(self.stage.definition, &self.saga));
            return Err(Violation { law: Law::NeverSilent, why });
        };
        let (at, event) = self.timers.remove(place);
        self.now = self.now.max(at);
        self.feed(event)
    }

    pub(super) fn resume(&mut self) -> Checked {
        self.story.push(Line::Resumed);
        self.feed(Event::Resume { why: "repaired".into() })
    }

    /// Whether somebody may still cancel it.
    pub(super) fn is_cancellable(&self) -> bool {
        self.saga.direction == Direction::Forward && self.saga.pivot_intent.is_none()
    }

    pub(super) fn cancel(&mut self) -> Checked {
        self.story.push(Line::Cancelled);
        self.feed(Event::Cancel { why: "asked to".into() })
    }

    /// Gives the table an event, and queues what it asks for.
    fn feed(&mut self, event: Event) -> Checked {
        self.story.push(Line::of(&event));
        self.transitions += 1;
        hold(Law::EndsByItself, self.transitions < ENDLESS, || "it goes on for ever".into())?;
        let by_person = matches!(event, Event::Cancel { .. });
        let (definition, saga, now) = (self.stage.definition, &mut self.saga, self.now);
        // A world whose definition panicked is looked at once more, to be told, and never used again.
        let turned = catch_unwind(AssertUnwindSafe(|| next(definition, saga, event, now, JITTER)));
        let transition = match turned {
            Ok(Ok(transition)) => transition,
            Ok(Err(Illegal::PivotBegun | Illegal::Ended(_))) if by_person => return Ok(()),
            Ok(Err(illegal)) => return Err(Violation { law: Law::EventsLegal, why: illegal.to_string() }),
            Err(panic) => return Err(Violation { law: Law::NeverPanics, why: told(&*panic) }),
        };
        for entry in transition.records {
            self.story.push(Line::of_record(&entry));
            self.journal.push(entry);
        }
        for effect in transition.effects {
            match effect {
                Effect::Call(call) => self.queue.push(call),
                Effect::Timer { step, op, attempt, at } => {
                    self.timers.push((at, Event::RetryDue { step, op, attempt }));
                }
                Effect::Deadline(at) => self.timers.push((at, Event::DeadlinePassed)),
                Effect::Rest => {}
            }
        }
        let idle = self.saga.steps.iter().all(|step| step.activity == Activity::Idle);
        hold(Law::NeverSilent, !idle || self.saga.end.is_some() || self.saga.is_parked(), || {
            format!("nothing is under way: {}", explain(self.stage.definition, &self.saga))
        })
    }

    /// Takes a call from the queue to send it, which must be allowed.
    fn take(&mut self, place: usize) -> Checked<Call> {
        let call = self.queue.remove(place);
        sent::check(self, &call)?;
        self.story.push(Line::Sent { step: call.step, op: call.op, attempt: call.attempt });
        Ok(call)
    }

    fn arrive(&mut self, call: &Call, will: Will) -> Checked<Option<Outcome>> {
        let passed = self.passed();
        let answer =
            self.participants.arrive(self.stage, passed, (call.step, call.op), &call.request, will)?;
        let row = self.participants.book(call.step).row;
        self.story.push(Line::Arrived { step: call.step, op: call.op, row });
        while let Some(place) = self.echoes.iter().position(|other| other.step == call.step) {
            let other = self.echoes.remove(place);
            self.stray(&other)?;
        }
        Ok(answer)
    }

    /// A copy that nobody waits for any more.
    fn stray(&mut self, call: &Call) -> Checked {
        self.story.push(Line::Late { step: call.step, op: call.op });
        self.arrive(call, Will::Willing).map(drop)
    }

    fn arrive_and_reply(&mut self, call: &Call, will: Will) -> Checked {
        let forsaken = call.op == Op::Do && self.participants.is_forsaken(call.step);
        match self.arrive(call, will)? {
            Some(outcome) => {
                let wait = self.stage.definition.step(call.step).customer_wait + Duration::from_secs(1);
                self.reply(call, outcome, if forsaken { wait } else { Duration::ZERO });
            }
            None => self.silence(call, call.timeout),
        }
        Ok(())
    }

    fn silence(&mut self, call: &Call, takes: Duration) {
        self.reply(call, Outcome::unknown("no answer"), takes);
    }

    fn reply(&mut self, call: &Call, outcome: Outcome, takes: Duration) {
        let Call { step, op, attempt, .. } = *call;
        self.replies.push_back(Reply { step, op, attempt, outcome, takes });
    }

    /// Steps whose undo is or was parked: the others do not wait for them.
    fn passed(&self) -> StepSet {
        let parked = self.journal.iter().filter_map(|entry| match &entry.record {
            Record::UndoParked { step, .. } => Some(*step),
            _ => None,
        });
        parked.collect()
    }
}

fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without a word"))
}
