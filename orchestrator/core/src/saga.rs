//! The state of a saga, and its fold from the journal.
//!
//! Durable facts change only in [`Saga::fold`]; the table adds what is in flight. So the state of a live saga and
//! the state read back from its journal differ in nothing but the fields marked volatile.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::definition::{Class, Definition, Facts, StepId, StepSet};
use crate::hidden::Instructions;
use crate::outcome::{Op, Refusal};
use crate::record::{Cause, Entry, ParkedBy, Record};
use crate::status::Status;
use crate::time::Timestamp;

/// What a saga starts with; its first record.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Start {
    /// Name of the definition.
    pub definition: String,
    /// Version of the definition.
    pub version: u32,
    /// Fingerprint of the definition.
    pub fingerprint: Bytes,
    /// Encoded input, whole.
    pub input: Bytes,
    /// Turn back if the pivot has not begun by then.
    pub deadline: Timestamp,
    /// W3C trace context; empty if there is none.
    pub traceparent: String,
    /// The saga at the root of the family.
    pub root: Uuid,
}

/// Which way a saga goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards done.
    Forward,
    /// Taking everything back.
    Back(Cause),
}

/// How a saga ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Every step is done.
    Completed,
    /// Everything is taken back.
    Compensated,
}

/// What is known for certain about a step's forward effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Nothing yet.
    Open,
    /// It happened.
    Done {
        /// The encoded answer.
        output: Bytes,
        /// The record that says so.
        seq: u32,
        /// When.
        at: Timestamp,
        /// What it gave cannot be relied on after this.
        valid_until: Option<Timestamp>,
    },
    /// It never happened and never will.
    Refused {
        /// Why.
        refusal: Refusal,
        /// False when nothing was ever sent.
        called: bool,
        /// When.
        at: Timestamp,
    },
}

/// Something waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parked {
    /// Why, for the person.
    pub why: String,
    /// What has to change.
    pub by: ParkedBy,
}

/// Something that a person should see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    /// When it was written down.
    pub at: Timestamp,
    /// What was found.
    pub text: String,
}

/// What is not done will not be done; a return makes it good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MadeGood {
    /// Who decided it and why.
    pub why: String,
    /// The return that does it.
    pub return_saga: Uuid,
    /// Since when.
    pub at: Timestamp,
}

/// A participant waits for the customer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Encoded instructions for the customer.
    pub next_action: Instructions,
    /// Give up then.
    pub until: Timestamp,
}

/// What is in flight for a step. Volatile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Nothing.
    Idle,
    /// A call was sent, or waits for a record to be durable.
    Calling {
        /// What it asks.
        op: Op,
        /// Which attempt.
        attempt: u32,
    },
    /// The next call waits for its time.
    BackingOff {
        /// What it will ask.
        op: Op,
        /// Which attempt it will be.
        attempt: u32,
        /// Its time.
        until: Timestamp,
        /// What the last attempt came to.
        last: String,
    },
}

/// One step of one saga.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepState {
    /// Durable: the forward effect.
    pub settled: Settled,
    /// Durable: the record from which on only close is sent.
    pub closing: Option<u32>,
    /// Durable: taken back, when.
    pub undone: Option<Timestamp>,
    /// Durable: waits for a person, why.
    pub parked: Option<Parked>,
    /// Durable: its undo waits for a person, why.
    pub undo_parked: Option<Parked>,
    /// Durable: the participant waits for the customer.
    pub waiting: Option<Waiting>,
    /// Volatile: an attempt was sent and not answered by the contract's Done, Refused or NotNow. Sticky.
    pub maybe_run: bool,
    /// Volatile.
    pub activity: Activity,
    /// Volatile: calls to do or close, by this owner.
    pub attempts: u32,
    /// Volatile: calls to undo, by this owner.
    pub undo_attempts: u32,
    /// Volatile: when the budget of the current op began.
    pub since: Timestamp,
    /// Volatile: calls within that budget.
    pub spent: u32,
    /// Volatile: when this owner first asked for it to be done.
    pub first_called: Option<Timestamp>,
}

/// One run of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Saga {
    /// UUIDv7.
    pub id: Uuid,
    /// What it started with.
    pub start: Start,
    /// When.
    pub started_at: Timestamp,
    /// Number of the last record.
    pub seq: u32,
    /// Which way.
    pub direction: Direction,
    /// The record of `TurnedBack`.
    pub turned_back: Option<u32>,
    /// The record of `PivotIntent`.
    pub pivot_intent: Option<u32>,
    /// The record of the last `Resumed`.
    pub resumed: Option<u32>,
    /// The saga as a whole waits for a person, why.
    pub poisoned: Option<String>,
    /// What people should see, oldest first.
    pub notes: Vec<Note>,
    /// It makes no call any more, because a return makes it good.
    pub made_good: Option<MadeGood>,
    /// How it ended.
    pub end: Option<End>,
    /// As many as the definition has.
    pub steps: Vec<StepState>,
    /// Volatile: a former owner may have made calls that this one knows nothing of.
    pub recovered: bool,
    /// Volatile: its journal was restored from a backup, so that what it did since is known to its participants alone.
    /// Whoever reads the journal sets it.
    pub restored: bool,
}

/// A journal that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first record is something else.
    #[error("the journal does not begin with `started`")]
    NotStarted,
    /// A record after the end, or a second start.
    #[error("record {seq} (`{kind}`) cannot follow what is before it")]
    Misplaced {
        /// Its number.
        seq: u32,
        /// Its name.
        kind: &'static str,
    },
    /// A step that the definition does not have.
    #[error("record {seq} names step {step}, which the definition does not have")]
    NoSuchStep {
        /// Its number.
        seq: u32,
        /// The step's place.
        step: usize,
    },
}

impl Saga {
    /// The state after the first record.
    pub fn started(definition: &Definition, id: Uuid, first: &Entry) -> Result<Self, FoldError> {
        let Record::Started(start) = &first.record else { return Err(FoldError::NotStarted) };
        let step = StepState {
            settled: Settled::Open,
            closing: None,
            undone: None,
            parked: None,
            undo_parked: None,
            waiting: None,
            maybe_run: false,
            activity: Activity::Idle,
            attempts: 0,
            undo_attempts: 0,
            since: first.at,
            spent: 0,
            first_called: None,
        };
        Ok(Self {
            id,
            start: (**start).clone(),
            started_at: first.at,
            seq: 1,
            direction: Direction::Forward,
            turned_back: None,
            pivot_intent: None,
            resumed: None,
            poisoned: None,
            notes: Vec::new(),
            made_good: None,
            end: None,
            steps: vec![step; definition.steps.len()],
            recovered: false,
            restored: false,
        })
    }

    /// The state that a journal describes.
    pub fn replay(definition: &Definition, id: Uuid, journal: &[Entry]) -> Result<Self, FoldError> {
        let (first, rest) = journal.split_first().ok_or(FoldError::NotStarted)?;
        let mut saga = Self::started(definition, id, first)?;
        for entry in rest {
            saga.fold(entry)?;
        }
        Ok(saga)
    }

    /// Applies the next record. The only place where durable facts change.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let (seq, at) = (self.seq + 1, entry.at);
        if self.end.is_some() || matches!(entry.record, Record::Started(_)) {
            return Err(FoldError::Misplaced { seq, kind: entry.record.kind() });
        }
        if let Some(step) = entry.record.step().filter(|s| s.index() >= self.steps.len()) {
            return Err(FoldError::NoSuchStep { seq, step: step.index() });
        }
        match &entry.record {
            Record::Started(_) => {}
            Record::StepDone { step, output, valid_until, .. } => {
                let step = self.step_mut(*step);
                step.settled = Settled::Done { output: output.clone(), seq, at, valid_until: *valid_until };
                (step.waiting, step.parked) = (None, None);
            }
            Record::StepRefused { step, refusal, called, .. } => {
                let step = self.step_mut(*step);
                step.settled = Settled::Refused { refusal: refusal.clone(), called: *called, at };
                (step.waiting, step.parked) = (None, None);
            }
            Record::StepWaiting { step, next_action, until } => {
                let waiting = Waiting { next_action: next_action.clone(), until: *until };
                self.step_mut(*step).waiting = Some(waiting);
            }
            Record::PivotIntent => self.pivot_intent = Some(seq),
            Record::CloseIntent { step } => {
                let step = self.step_mut(*step);
                (step.closing, step.waiting, step.parked) = (Some(seq), None, None);
            }
            Record::TurnedBack { cause } => {
                self.direction = Direction::Back(cause.clone());
                self.turned_back = Some(seq);
                self.poisoned = None;
                for step in &mut self.steps {
                    (step.waiting, step.parked) = (None, None);
                }
            }
            Record::UndoDone { step, .. } => {
                let step = self.step_mut(*step);
                (step.undone, step.undo_parked) = (Some(at), None);
            }
            Record::StepParked { step, why, by, .. } => {
                self.step_mut(*step).parked = Some(Parked { why: why.clone(), by: *by });
            }
            Record::UndoParked { step, why, by, .. } => {
                self.step_mut(*step).undo_parked = Some(Parked { why: why.clone(), by: *by });
            }
            Record::Poisoned { why } => self.poisoned = Some(why.clone()),
            Record::Noted { text } => self.notes.push(Note { at, text: text.clone() }),
            Record::MadeGood { why, return_saga } => {
                self.made_good = Some(MadeGood { why: why.clone(), return_saga: *return_saga, at });
            }
            Record::NotMadeGood { why } => (self.made_good, self.poisoned) = (None, Some(why.clone())),
            Record::Completed => self.end = Some(End::Completed),
            Record::Compensated => self.end = Some(End::Compensated),
            Record::Resumed { only, .. } => self.resume(*only, seq),
        }
        self.seq = seq;
        Ok(())
    }

    fn resume(&mut self, only: StepSet, seq: u32) {
        self.resumed = Some(seq);
        if only.is_empty() {
            self.poisoned = None;
        }
        for id in StepSet::first(self.steps.len()).iter() {
            if only.is_empty() || only.contains(id) {
                let step = self.step_mut(id);
                (step.parked, step.undo_parked) = (None, None);
            }
        }
    }

    /// The word for its durable state.
    pub fn status(&self) -> Status {
        match (self.end, &self.direction) {
            (Some(End::Completed), _) => Status::Completed,
            (Some(End::Compensated), _) => Status::Compensated,
            _ if self.is_parked() => Status::Parked,
            (None, Direction::Back(_)) => Status::Compensating,
            (None, Direction::Forward) if self.steps.iter().any(|s| s.waiting.is_some()) => Status::Waiting,
            (None, Direction::Forward) => Status::Running,
        }
    }

    /// Something of it waits for a person.
    pub fn is_parked(&self) -> bool {
        self.poisoned.is_some()
            || self.made_good.is_some()
            || self.steps.iter().any(|s| s.parked.is_some() || s.undo_parked.is_some())
    }

    /// Steps that are parked only because `participant` gave no answer.
    pub fn silenced_by(&self, definition: &Definition, participant: &str) -> StepSet {
        let silent =
            |parked: &Option<Parked>| matches!(parked, Some(parked) if parked.by == ParkedBy::Silence);
        definition
            .step_ids()
            .filter(|id| definition.step(*id).participant == participant)
            .filter(|id| silent(&self.step(*id).parked) || silent(&self.step(*id).undo_parked))
            .collect()
    }

    /// When it turns back unless the pivot has begun, and why: its own deadline, or the end of what an earlier step
    /// gave, less the time that the pivot may take to answer.
    pub fn deadline(&self, definition: &Definition) -> (Timestamp, Cause) {
        let margin = definition.pivot.map_or(Duration::ZERO, |pivot| definition.step(pivot).timeout);
        let expiries = definition.step_ids().filter_map(|id| match self.step(id).settled {
            Settled::Done { valid_until: Some(until), .. } => Some((until.minus(margin), Cause::Expired(id))),
            _ => None,
        });
        let own = (self.start.deadline, Cause::Deadline);
        expiries.fold(own, |first, other| if other.0 < first.0 { other } else { first })
    }

    /// The state of a step.
    pub fn step(&self, id: StepId) -> &StepState {
        &self.steps[id.index()]
    }

    pub(crate) fn step_mut(&mut self, id: StepId) -> &mut StepState {
        &mut self.steps[id.index()]
    }

    /// The encoded answer of a step that is done.
    pub fn output(&self, id: StepId) -> Option<&Bytes> {
        match &self.step(id).settled {
            Settled::Done { output, .. } => Some(output),
            _ => None,
        }
    }

    /// Lends the facts that a definition's functions read.
    pub(crate) fn with_facts<R>(&self, f: impl FnOnce(&Facts<'_>) -> R) -> R {
        let output = |id| self.output(id).cloned();
        f(&Facts { saga: self.id, input: &self.start.input, output: &output })
    }

    /// Whether nobody knows if the step's effect happened: an attempt was sent and not answered for certain, or a
    /// former owner, whose calls are unknown, may have made one.
    pub fn maybe_run(&self, id: StepId) -> bool {
        let step = self.step(id);
        step.settled == Settled::Open && (step.maybe_run || self.recovered)
    }

    /// Whether turning back has to take this step back: it happened, or may have.
    ///
    /// After a takeover that is every compensatable step without a durable refusal; the barrier makes needless undos
    /// harmless.
    pub fn needs_undo(&self, definition: &Definition, id: StepId) -> bool {
        let happened = matches!(self.step(id).settled, Settled::Done { .. });
        definition.step(id).class == Class::Compensatable && (happened || self.maybe_run(id))
    }

    /// Its participants are being asked what its restored journal has lost: the pivot is to be closed and has not begun.
    pub fn is_settling(&self, definition: &Definition) -> bool {
        let closing = definition.pivot.is_some_and(|pivot| self.step(pivot).closing.is_some());
        closing && self.pivot_intent.is_none() && self.direction == Direction::Forward
    }

    /// Whether it may have passed its pivot without a record of it. A refusal says that it has not: whatever depends on
    /// that step never began.
    pub(crate) fn may_have_gone_on(&self, definition: &Definition) -> bool {
        let refused = |step: &StepState| matches!(step.settled, Settled::Refused { .. });
        self.restored
            && definition.pivot.is_some()
            && self.pivot_intent.is_none()
            && !self.steps.iter().any(refused)
    }

    /// The refusal that turned it back, with the step that refused.
    pub fn refusal(&self) -> Option<(StepId, &Refusal)> {
        match &self.direction {
            Direction::Back(Cause::Refused(id)) => match &self.step(*id).settled {
                Settled::Refused { refusal, .. } => Some((*id, refusal)),
                _ => None,
            },
            _ => None,
        }
    }
}
