//! The product's own table and fold, asked once per question.
//!
//! [`backstitch_core::next`] and [`Saga::replay`] are pure, so their answers are remembered; and the states of sagas and journals are kept
//! once and told apart by number, which makes a state of the world small. Times are zeroed: what depends on the clock is
//! said by the event, whose budget or deadline is over or is not.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backstitch_chaos::definitions::SAGA;
use backstitch_core::{
    Activity, Effect, End, Entry, Event, Illegal, Op, Outcome, Record, Refusal, Saga, Settled, StepId,
    Timestamp, Transition, begin,
};
use bytes::Bytes;
use uuid::Uuid;

use crate::mutants::{self, Mutant};
use crate::stage::{BUDGETS_END, DEADLINE, Stage};

/// Something kept once: equal exactly if it is the same.
pub(crate) struct Kept<T>(Arc<(u32, T)>);

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl<T> Eq for Kept<T> {}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.0.0);
    }
}

impl<T> std::ops::Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0.0)
    }
}

/// The state of a saga.
pub(crate) type Known = Kept<Saga>;

/// A journal: an entry after an earlier journal, and what all of it says.
pub(crate) type Journal = Kept<Chapter>;

pub(crate) struct Chapter {
    pub(crate) earlier: Option<Journal>,
    pub(crate) len: u8,
    pub(crate) entry: Kept<Entry>,
    pub(crate) facts: Known,
    /// The definition publishes an event with this entry.
    pub(crate) publishes: bool,
}

impl Chapter {
    fn entries(&self) -> Vec<Entry> {
        let mut entries = self.earlier.as_ref().map_or_else(Vec::new, |earlier| earlier.entries());
        entries.push(Entry::clone(&self.entry));
        entries
    }
}

/// The first `len` entries, of which there is at least one.
pub(crate) fn prefix(journal: &Journal, len: u8) -> Option<Journal> {
    let mut at = Some(journal);
    while let Some(journal) = at {
        if journal.len == len {
            return Some(journal.clone());
        }
        at = journal.earlier.as_ref();
    }
    None
}

/// What a participant answers, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Answer {
    Done(u8),
    Refused,
    NotNow,
    Unknown,
    Broken,
    Superseded,
    Pending,
}

/// An event, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Heard {
    Own { recovered: bool },
    Reply { step: u8, op: Op, attempt: u8, answer: Answer, spent: bool },
    Retry { step: u8, op: Op, attempt: u8 },
    Deadline,
    Cancel,
    Resume,
    Available { step: u8 },
    Poison,
    Wake,
    MakeGood { nth: u8 },
    Returned { nth: u8, end: End },
}

/// A call that the table asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) step: u8,
    pub(crate) op: Op,
    pub(crate) attempt: u8,
    /// Equal exactly if the requests are.
    pub(crate) request: u8,
    pub(crate) after: u8,
}

/// What an event came to.
pub(crate) struct Turned {
    pub(crate) after: Known,
    pub(crate) records: Vec<Kept<Entry>>,
    pub(crate) calls: Vec<Asked>,
    pub(crate) illegal: Option<Illegal>,
}

pub(crate) struct Table {
    pub(crate) stage: Arc<Stage>,
    mutant: Option<Mutant>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    sagas: HashMap<Saga, Known>,
    entries: HashMap<Entry, Kept<Entry>>,
    /// By the number of the journal, the empty one first: what it becomes with which entry. Lists, because they are
    /// short, and a hash costs more.
    journals: Vec<Vec<(Kept<Entry>, Option<Journal>)>>,
    /// By the number of the saga's state.
    turns: Vec<Vec<(Heard, Arc<Turned>)>>,
    requests: Vec<Bytes>,
}

impl Memory {
    fn keep(&mut self, saga: Saga) -> Known {
        if let Some(known) = self.sagas.get(&saga) {
            return known.clone();
        }
        let known = Kept(Arc::new((number(self.sagas.len()), saga.clone())));
        self.sagas.insert(saga, known.clone());
        self.turns.push(Vec::new());
        known
    }

    fn entry(&mut self, entry: Entry) -> Kept<Entry> {
        let entry = Entry { at: Timestamp(0), record: timeless_record(entry.record) };
        let number = number(self.entries.len());
        self.entries.entry(entry.clone()).or_insert_with(|| Kept(Arc::new((number, entry)))).clone()
    }

    fn request(&mut self, request: Bytes) -> u8 {
        let known = self.requests.iter().position(|other| *other == request);
        let place = known.unwrap_or_else(|| {
            self.requests.push(request);
            self.requests.len() - 1
        });
        small(place) + 1
    }
}

/// The first is the one that sample answers are made for.
pub(crate) fn saga_id(saga: usize) -> Uuid {
    Uuid::from_u128(SAGA.as_u128() + saga as u128)
}

/// The return that follows the nth decision.
pub(crate) fn return_id(nth: u8) -> Uuid {
    Uuid::from_u128(u128::from(nth))
}

pub(crate) fn step_id(step: usize) -> StepId {
    StepId::new(step).expect("definitions are short")
}

pub(crate) fn small(n: usize) -> u8 {
    u8::try_from(n).expect("everything here is small")
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than four billion")
}

impl Table {
    pub(crate) fn new(stage: Arc<Stage>, mutant: Option<Mutant>) -> Self {
        Self { stage, mutant, memory: Mutex::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A saga begins: its state and its first record.
    pub(crate) fn begin(&self, saga: usize) -> (Known, Journal) {
        let id = saga_id(saga);
        let input = self.stage.input.clone();
        let (state, first) = begin(&self.stage.definition, id, id, input, String::new(), Timestamp(0));
        let known = self.memory().keep(timeless(state));
        let first = self.memory().entry(first);
        let journal = self.append(saga, None, &first).expect("the first record folds");
        (known, journal)
    }

    /// The journal with one more entry; `None` if the fold does not take it.
    pub(crate) fn append(
        &self,
        saga: usize,
        earlier: Option<&Journal>,
        entry: &Kept<Entry>,
    ) -> Option<Journal> {
        let place = earlier.map_or(0, |journal| journal.0.0 as usize);
        let mut memory = self.memory();
        if memory.journals.is_empty() {
            memory.journals.push(Vec::new());
        }
        if let Some((_, journal)) = memory.journals[place].iter().find(|(other, _)| other == entry) {
            return journal.clone();
        }
        let mut entries = earlier.map_or_else(Vec::new, |journal| journal.entries());
        entries.push(Entry::clone(entry));
        let len = small(entries.len());
        let replayed = Saga::replay(&self.stage.definition, saga_id(saga), &entries);
        let journal = replayed.ok().map(|facts| {
            let publishes = self.stage.definition.publication(&facts, &entry.record).is_some();
            let facts = memory.keep(timeless(facts));
            let chapter = Chapter { earlier: earlier.cloned(), len, entry: entry.clone(), facts, publishes };
            let number = number(memory.journals.len());
            memory.journals.push(Vec::new());
            Kept(Arc::new((number, chapter)))
        });
        memory.journals[place].push((entry.clone(), journal.clone()));
        journal
    }

    /// The table's answer.
    pub(crate) fn turn(&self, known: &Known, heard: Heard) -> Arc<Turned> {
        let place = known.0.0 as usize;
        let mut memory = self.memory();
        if let Some((_, turned)) = memory.turns[place].iter().find(|(other, _)| *other == heard) {
            return turned.clone();
        }
        let mut saga = Saga::clone(known);
        let (event, now) = self.event(heard);
        let out = mutants::next(self.mutant, &self.stage, &mut saga, event, now);
        let (transition, illegal) = match out {
            Ok(transition) => (transition, None),
            Err(illegal) => (Transition::default(), Some(illegal)),
        };
        let calls = transition.effects.into_iter().filter_map(|effect| match effect {
            Effect::Call(call) => Some(Asked {
                step: small(call.step.index()),
                op: call.op,
                attempt: u8::try_from(call.attempt).expect("attempts are few"),
                request: memory.request(call.request),
                after: u8::try_from(call.after).expect("journals are short"),
            }),
            // Timers and the deadline may ring at any time that the state allows; the actions say when.
            _ => None,
        });
        let calls = calls.collect();
        let records = transition.records.into_iter().map(|entry| memory.entry(entry)).collect();
        let after = memory.keep(timeless(saga));
        let turned = Arc::new(Turned { after, records, calls, illegal });
        memory.turns[place].push((heard, turned.clone()));
        turned
    }

    fn event(&self, heard: Heard) -> (Event, Timestamp) {
        let (early, spent, over) = (Timestamp(0), after(BUDGETS_END), after(DEADLINE));
        match heard {
            Heard::Own { recovered } => (Event::Own { recovered }, early),
            Heard::Reply { step, op, attempt, answer, spent: is_spent } => {
                let place = usize::from(step);
                let outcome = match answer {
                    Answer::Done(variant) if op != Op::Undo => {
                        Outcome::Done(self.stage.answer(place, variant))
                    }
                    Answer::Done(_) => Outcome::Done(Bytes::new()),
                    Answer::Pending => Outcome::Done(self.stage.waiting()),
                    Answer::Refused => Outcome::Refused(Refusal::new("REFUSED", "no")),
                    Answer::NotNow => Outcome::NotNow { after: Duration::ZERO, why: "not now".into() },
                    Answer::Unknown => Outcome::unknown("no answer"),
                    Answer::Broken => Outcome::Broken("nonsense".into()),
                    Answer::Superseded => Outcome::Superseded("too late".into()),
                };
                let event = Event::Replied { step: step_id(place), op, attempt: u32::from(attempt), outcome };
                (event, if is_spent { spent } else { early })
            }
            Heard::Retry { step, op, attempt } => {
                let step = step_id(usize::from(step));
                (Event::RetryDue { step, op, attempt: u32::from(attempt) }, early)
            }
            Heard::Deadline => (Event::DeadlinePassed, over),
            Heard::Cancel => (Event::Cancel { why: "asked to".into() }, early),
            Heard::Resume => (Event::Resume { why: "repaired".into() }, early),
            Heard::Available { step } => {
                let participant = self.stage.definition.steps[usize::from(step)].participant.to_owned();
                (Event::Available { participant }, early)
            }
            Heard::Poison => (Event::Poison { why: "it panics".into() }, early),
            Heard::Wake => (Event::Wake, early),
            Heard::MakeGood { nth } => {
                (Event::MakeGood { why: "it is gone".into(), return_saga: return_id(nth) }, early)
            }
            Heard::Returned { nth, end } => {
                (Event::Returned { return_saga: return_id(nth), end, why: "refused".into() }, early)
            }
        }
    }
}

fn after(duration: Duration) -> Timestamp {
    Timestamp(0).plus(duration)
}

/// Not over yet, and over when a budget is.
const SOON: Timestamp = Timestamp(1);

/// The state without its times.
fn timeless(mut saga: Saga) -> Saga {
    let zero = Timestamp(0);
    saga.notes.iter_mut().for_each(|note| note.at = zero);
    if let Some(good) = &mut saga.made_good {
        good.at = zero;
    }
    for step in &mut saga.steps {
        step.since = zero;
        if let Activity::BackingOff { until, .. } = &mut step.activity {
            *until = zero;
        }
        match &mut step.settled {
            Settled::Open => {}
            Settled::Done { at, .. } | Settled::Refused { at, .. } => *at = zero,
        }
        step.undone = step.undone.map(|_| zero);
        if let Some(waiting) = &mut step.waiting {
            waiting.until = SOON;
        }
    }
    saga
}

/// How often somebody called is no fact that anything depends on.
fn timeless_record(mut record: Record) -> Record {
    match &mut record {
        Record::StepDone { attempts, .. }
        | Record::StepRefused { attempts, .. }
        | Record::UndoDone { attempts, .. }
        | Record::StepParked { attempts, .. }
        | Record::UndoParked { attempts, .. } => *attempts = 0,
        Record::StepWaiting { until, .. } => *until = SOON,
        _ => {}
    }
    record
}
