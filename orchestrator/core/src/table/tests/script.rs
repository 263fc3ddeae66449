//! A language for cases: given a script, when one more event, then these records and effects, all as text.
//!
//! Events, separated by `;`:
//!
//! | written | means |
//! |---|---|
//! | `own`, `recover`, `restore` | owned freshly; owned after a former owner; that, by a journal from a backup |
//! | `hold done` | the call of `hold` that is in flight is answered; likewise `refused`, `notnow`, `notnow(30s)`, `unknown`, `pending`, `broken`, `superseded`, `done(word)`, and answers that decode to waiting (`asks`), to a lie (`lies`) or not at all (`garbage`) |
//! | `hold#2 undo done` | the same of a named attempt, in flight or not |
//! | `due hold` | the time of its next attempt comes; `due hold#2 undo` of a named one |
//! | `after 5s` | time passes |
//! | `deadline`, `early deadline` | the saga's deadline comes; is told before it came |
//! | `cancel`, `wake`, `resume`, `note hm` | as they say |
//! | `make good`, `returned`, `returned back`, `returned elsewhere` | a person has return 9 make it good; that return completes, or turns back; another one completes |
//!
//! Answers, separated by `, `: records by kind, `do hold#1@7` (a call, its attempt, the record it waits for),
//! `wait 2s do hold#2` (a timer), `deadline 900s`, `rest`, and `!` with an error's text. Times are relative to now.
//! Jitter is always the largest, so that delays are whole.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::super::{Call, Effect, Event, Illegal, Transition, begin, next};
use super::shop::{Answer, Ask};
use crate::definition::{Definition, StepId};
use crate::hidden::Instructions;
use crate::outcome::{Op, Outcome, Refusal};
use crate::record::{Cause, Entry, Record};
use crate::saga::{Activity, End, Saga};
use crate::time::Timestamp;

pub(super) struct World {
    pub(super) definition: Definition,
    pub(super) saga: Saga,
    pub(super) journal: Vec<Entry>,
    pub(super) now: Timestamp,
    /// The last call that the last event asked for.
    pub(super) called: Option<Call>,
}

/// Runs rows of (given, when, then), each from a fresh saga, and tells all that differ at once.
pub(super) fn check(definition: impl Fn() -> Definition, rows: &[(&str, &str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(given, when, then)| {
            let mut world = World::new(definition());
            world.run(given);
            let said = world.when(when);
            (said != *then).then(|| format!("given {given}\n when {when}\n then {then}\n  got {said}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

impl World {
    pub(super) fn new(definition: Definition) -> Self {
        Self::with_input(definition, Ask::default().encode_to_vec().into())
    }

    pub(super) fn with_input(definition: Definition, input: Bytes) -> Self {
        let now = Timestamp(1_000_000);
        let id = Uuid::from_u128(7);
        let (saga, first) = begin(&definition, id, id, input, String::new(), now);
        Self { definition, saga, journal: vec![first], now, called: None }
    }

    /// A new owner's world, which knows the first `records` of the journal and nothing else.
    pub(super) fn taken_over(self, records: usize) -> Self {
        let journal = self.journal[..records].to_vec();
        let saga = Saga::replay(&self.definition, self.saga.id, &journal).unwrap();
        Self { saga, journal, ..self }
    }

    pub(super) fn run(&mut self, script: &str) {
        for event in script.split(';').map(str::trim).filter(|event| !event.is_empty()) {
            let said = self.when(event);
            assert!(!said.starts_with('!'), "`{event}` in `{script}`: {said}");
        }
    }

    /// One event, and what follows from it.
    pub(super) fn when(&mut self, event: &str) -> String {
        let words: Vec<&str> = event.split_whitespace().collect();
        let event = match words.as_slice() {
            ["after", time] => {
                self.now = self.now.plus(duration(time));
                return String::new();
            }
            ["note", text] => Event::Note { text: (*text).into() },
            ["make", "good"] => Event::MakeGood { why: "lost".into(), return_saga: Uuid::from_u128(9) },
            ["returned"] => returned(9, End::Completed),
            ["returned", "back"] => returned(9, End::Compensated),
            ["returned", "elsewhere"] => returned(8, End::Completed),
            ["own"] => Event::Own { recovered: false },
            ["recover"] => Event::Own { recovered: true },
            ["restore"] => {
                self.saga.restored = true;
                Event::Own { recovered: true }
            }
            ["deadline"] => {
                self.now = self.now.max(self.saga.start.deadline);
                Event::DeadlinePassed
            }
            ["early", "deadline"] => Event::DeadlinePassed,
            ["cancel"] => Event::Cancel { why: "asked to".into() },
            ["wake"] => Event::Wake,
            ["poison"] => Event::Poison { why: "it panicked".into() },
            ["available", participant] => Event::Available { participant: (*participant).into() },
            ["resume"] => Event::Resume { why: "repaired".into() },
            ["due", name] => {
                let step = self.step(name);
                let Activity::BackingOff { op, attempt, until, .. } = self.saga.step(step).activity else {
                    panic!("{name} is not backing off: {:?}", self.saga.step(step).activity);
                };
                self.now = self.now.max(until);
                Event::RetryDue { step, op, attempt }
            }
            ["due", named, op] => {
                let (step, attempt) = self.attempt(named);
                Event::RetryDue { step, op: operation(op), attempt }
            }
            [name, word] => {
                let step = self.step(name);
                let Activity::Calling { op, attempt } = self.saga.step(step).activity else {
                    panic!("{name} is not being called: {:?}", self.saga.step(step).activity);
                };
                Event::Replied { step, op, attempt, outcome: outcome(word) }
            }
            [named, op, word] => {
                let (step, attempt) = self.attempt(named);
                Event::Replied { step, op: operation(op), attempt, outcome: outcome(word) }
            }
            _ => panic!("`{event}` is no event"),
        };
        match self.happens(event) {
            Ok(transition) => self.say(&transition),
            Err(illegal) => format!("! {illegal}"),
        }
    }

    /// The table's answer, with the laws that hold whatever happens.
    pub(super) fn happens(&mut self, event: Event) -> Result<Transition, Illegal> {
        let before = self.saga.clone();
        let transition = next(&self.definition, &mut self.saga, event, self.now, u32::MAX);
        match &transition {
            Ok(transition) => {
                self.journal.extend_from_slice(&transition.records);
                self.called = transition.effects.iter().rev().find_map(|effect| match effect {
                    Effect::Call(call) => Some(call.clone()),
                    _ => None,
                });
            }
            Err(_) => assert_eq!(before, self.saga, "an illegal event changes nothing"),
        }
        assert_eq!(self.saga.seq as usize, self.journal.len(), "records are numbered without a gap");
        transition
    }

    /// The words of the journal from `first` on.
    pub(super) fn records(&self, first: usize) -> String {
        self.journal[first..].iter().map(|entry| self.record(entry)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn step(&self, name: &str) -> StepId {
        self.definition.find(name).unwrap_or_else(|| panic!("no step {name}"))
    }

    fn attempt(&self, named: &str) -> (StepId, u32) {
        let (name, attempt) = named.split_once('#').unwrap();
        (self.step(name), attempt.parse().unwrap())
    }

    fn say(&self, transition: &Transition) -> String {
        let records = transition.records.iter().map(|entry| self.record(entry));
        let effects = transition.effects.iter().map(|effect| self.effect(effect));
        records.chain(effects).collect::<Vec<_>>().join(", ")
    }

    fn record(&self, entry: &Entry) -> String {
        let name = |step: &StepId| self.definition.step(*step).name;
        let kind = entry.record.kind();
        match &entry.record {
            Record::StepRefused { step, refusal, called, .. } => {
                let called = if *called { "" } else { " uncalled" };
                format!("{kind}({} {}{called})", name(step), refusal.reason)
            }
            Record::StepWaiting { step, until, .. } => {
                format!("{kind}({} {}s)", name(step), self.now.until(*until).as_secs())
            }
            Record::TurnedBack { cause } => match cause {
                Cause::Refused(step) => format!("{kind}(refused {})", name(step)),
                Cause::GaveUp { step, last } => format!("{kind}(gave up {}: {last})", name(step)),
                Cause::Deadline => format!("{kind}(deadline)"),
                Cause::Expired(step) => format!("{kind}(expired {})", name(step)),
                Cause::Unfinished(step) => format!("{kind}(unfinished {})", name(step)),
                Cause::Cancelled(why) => format!("{kind}(cancelled: {why})"),
            },
            Record::StepParked { step, why, .. } | Record::UndoParked { step, why, .. } => {
                format!("{kind}({}: {why})", name(step))
            }
            Record::StepDone { step, .. } | Record::CloseIntent { step } | Record::UndoDone { step, .. } => {
                format!("{kind}({})", name(step))
            }
            Record::Poisoned { why } | Record::NotMadeGood { why } => format!("{kind}({why})"),
            Record::Noted { text } => format!("{kind}({text})"),
            Record::MadeGood { return_saga, .. } => format!("{kind}({})", return_saga.as_u128()),
            Record::Started(_)
            | Record::PivotIntent
            | Record::Completed
            | Record::Compensated
            | Record::Resumed { .. } => kind.into(),
        }
    }

    fn effect(&self, effect: &Effect) -> String {
        match effect {
            Effect::Call(Call { step, op, attempt, after, .. }) => {
                format!("{op} {}#{attempt}@{after}", self.definition.step(*step).name)
            }
            Effect::Timer { step, op, attempt, at } => {
                let wait = self.now.until(*at).as_secs();
                format!("wait {wait}s {op} {}#{attempt}", self.definition.step(*step).name)
            }
            Effect::Deadline(at) => format!("deadline {}s", self.now.until(*at).as_secs()),
            Effect::Rest => "rest".into(),
        }
    }
}

fn returned(return_saga: u128, end: End) -> Event {
    Event::Returned { return_saga: Uuid::from_u128(return_saga), end, why: "refund refused".into() }
}

fn duration(text: &str) -> Duration {
    Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap())
}

fn operation(word: &str) -> Op {
    match word {
        "do" => Op::Do,
        "undo" => Op::Undo,
        "close" => Op::Close,
        other => panic!("`{other}` is no operation"),
    }
}

fn outcome(word: &str) -> Outcome {
    let (word, inside) = word.split_once('(').unwrap_or((word, ""));
    let inside = inside.trim_end_matches(')');
    let answer = |answer: Answer| Outcome::Done(answer.encode_to_vec().into());
    match word {
        "done" => answer(Answer { word: inside.into(), ..Answer::default() }),
        "asks" => answer(Answer { asks: true, ..Answer::default() }),
        "lies" => answer(Answer { lies: true, ..Answer::default() }),
        "garbage" => Outcome::Done(Bytes::from_static(&[0xff])),
        "refused" => Outcome::Refused(Refusal::new("NO", "because")),
        "notnow" if inside.is_empty() => Outcome::NotNow { after: Duration::ZERO, why: "not now".into() },
        "notnow" => Outcome::NotNow { after: duration(inside), why: "not now".into() },
        "pending" => Outcome::Pending { next_action: Instructions(Bytes::from_static(b"act")) },
        "unknown" if inside.is_empty() => Outcome::unknown("silence"),
        "unknown" => Outcome::Unknown { after: duration(inside), why: "silence".into() },
        "broken" => Outcome::Broken("a bug".into()),
        "superseded" => Outcome::Superseded("settled".into()),
        other => panic!("`{other}` is no outcome"),
    }
}
