//! What a saga definition is, once it is built.
//!
//! [`DefinitionBuilder`] makes one and checks it; [`Definition`] is the checked, erased form that the table and
//! the engine read.

mod builder;
mod facts;
mod set;
mod validate;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;

pub use builder::{DefinitionBuilder, Handle, StepBuilder};
pub use facts::{Context, Facts, Invalid, Reads};
pub use set::{StepId, StepSet};
pub use validate::DefinitionError;

use crate::outcome::{Op, Outcome, Refusal};
use crate::record::Record;
use crate::retry::RetryPolicy;
use crate::saga::Saga;

/// An action or a compensation that a participant offers, with the types of its question and answer.
pub struct Operation<Q, A> {
    /// Who performs it, e.g. `inventory`.
    pub participant: &'static str,
    /// What it is called there, e.g. `Reserve`.
    pub action: &'static str,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Operation<Q, A> {
    /// An operation of `participant`.
    pub const fn new(participant: &'static str, action: &'static str) -> Self {
        Self { participant, action, types: PhantomData }
    }
}

/// Where a step stands relative to the point of no return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Before the pivot, with an undo.
    Compensatable,
    /// Before the pivot, and there is nothing to take back: this is why.
    NeedsNoUndo(&'static str),
    /// Decides. At most one.
    Pivot,
    /// After the pivot: repeated until done, never refused.
    Retriable,
}

/// What a repeated call with the same key answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replay {
    /// The same (there is a barrier behind it): its record may ride.
    Same,
    /// Perhaps something else: its record must be durable before a later request uses it.
    MayDiffer,
}

type RequestFn = Box<dyn Fn(&Facts<'_>) -> Result<Bytes, Invalid> + Send + Sync>;
type GuardFn = Box<dyn Fn(&Facts<'_>) -> Result<Option<Refusal>, Invalid> + Send + Sync>;
type InterpretFn = Box<dyn Fn(&Facts<'_>, Bytes) -> Outcome + Send + Sync>;
type ValidityFn = Box<dyn Fn(&Bytes) -> Option<Duration> + Send + Sync>;
type RemedyFn = Box<dyn Fn(&Facts<'_>, &str) -> Result<Bytes, Invalid> + Send + Sync>;
type PublishFn = Box<dyn Fn(&Definition, &Saga, &Record) -> Option<Publication> + Send + Sync>;

/// How a step is taken back.
pub struct Undo {
    /// Who performs it: the step's own participant, whose barrier row it needs.
    pub participant: &'static str,
    /// What it is called there.
    pub action: &'static str,
    /// Longest single attempt.
    pub timeout: Duration,
    /// Stronger than the step's own.
    pub retry: RetryPolicy,
    pub(crate) request: RequestFn,
}

/// A node of a definition.
pub struct Step {
    /// Unique in the definition; travels as `saga-step`.
    pub name: &'static str,
    /// Who performs it.
    pub participant: &'static str,
    /// What it is called there.
    pub action: &'static str,
    /// Where it stands.
    pub class: Class,
    /// Steps that must be done first.
    pub after: StepSet,
    /// Those, and all before them.
    pub ancestors: StepSet,
    /// All steps that have this one among their ancestors.
    pub descendants: StepSet,
    /// Steps whose outputs its request or guard reads.
    pub reads: StepSet,
    /// What a repeated call answers.
    pub replay: Replay,
    /// Longest single attempt; travels as the gRPC deadline.
    pub timeout: Duration,
    /// When to call again, and for how long.
    pub retry: RetryPolicy,
    /// How long the participant may wait for the customer.
    pub customer_wait: Duration,
    /// How it is taken back; present exactly on compensatable steps.
    pub undo: Option<Undo>,
    /// Absent only until `build` has refused the definition.
    pub(crate) request: Option<RequestFn>,
    pub(crate) guard: Option<GuardFn>,
    pub(crate) interpret: InterpretFn,
    /// How long what it gave lasts, counted from before it was asked.
    pub(crate) validity: Option<ValidityFn>,
}

impl Step {
    /// Nothing of it is kept that a later call could be told.
    pub(crate) fn remembers_nothing(&self) -> bool {
        matches!(self.class, Class::NeedsNoUndo(_)) && self.replay == Replay::MayDiffer
    }
}

/// What makes a saga good whose steps after the pivot cannot be done: a saga of another definition, in its family.
pub(crate) struct Remedy {
    pub(crate) definition: &'static str,
    pub(crate) input: RemedyFn,
}

/// An event that a definition publishes with a record, in the same commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Topic, e.g. `checkout.events`.
    pub topic: &'static str,
    /// Type, e.g. `com.backstitch.checkout.completed.v1`.
    pub kind: String,
    /// JSON.
    pub payload: Bytes,
}

/// A checked definition.
pub struct Definition {
    /// E.g. `checkout`.
    pub name: &'static str,
    /// Raised with every change of shape; sagas stay with the one they started with.
    pub version: u32,
    /// Before the pivot, the saga turns back when this much time has passed since its start.
    pub deadline: Duration,
    /// In dependency order: a step comes after everything it depends on.
    pub steps: Vec<Step>,
    /// The step that decides, if there is one.
    pub pivot: Option<StepId>,
    /// SHA-256 over the shape: names, operations, classes, dependencies, what is read, replay, undos, where there are
    /// guards. A changed shape under an unchanged version is found out. Not in it: timings, which may be tuned while
    /// sagas run, and what the functions compute, which no hash can see; requests are held by snapshot tests instead.
    pub fingerprint: [u8; 32],
    pub(crate) publish: Option<PublishFn>,
    pub(crate) remedy: Option<Remedy>,
}

impl Definition {
    /// The step with this id. Ids come from this definition or from a journal that was checked against it.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }

    /// All step ids, in dependency order.
    pub fn step_ids(&self) -> impl Iterator<Item = StepId> + use<> {
        StepSet::first(self.steps.len()).iter()
    }

    /// The step of this name.
    pub fn find(&self, name: &str) -> Option<StepId> {
        self.step_ids().find(|id| self.step(*id).name == name)
    }

    /// True if the step may still be undone by turning back, i.e. it is not the pivot and not after it.
    pub fn is_before_pivot(&self, id: StepId) -> bool {
        matches!(self.step(id).class, Class::Compensatable | Class::NeedsNoUndo(_))
    }

    /// What `op` asks of the step's participant, encoded.
    pub fn request(&self, id: StepId, op: Op, facts: &Facts<'_>) -> Result<Bytes, Invalid> {
        let step = self.step(id);
        match (op, &step.undo, &step.request) {
            (Op::Undo, Some(undo), _) => (undo.request)(facts),
            (Op::Do | Op::Close, _, Some(request)) => request(facts),
            _ => Err(Invalid::new("the definition has no request for this")),
        }
    }

    /// The definition of the return that makes this saga good, and that return's encoded input; `None` if none does.
    pub fn return_of(&self, saga: &Saga) -> Option<Result<(&'static str, Bytes), Invalid>> {
        let (remedy, good) = (self.remedy.as_ref()?, saga.made_good.as_ref()?);
        Some(
            saga.with_facts(|facts| (remedy.input)(facts, &good.why)).map(|input| (remedy.definition, input)),
        )
    }

    /// What to publish in the commit of `record`, given the state after it.
    pub fn publication(&self, saga: &Saga, record: &Record) -> Option<Publication> {
        self.publish.as_ref().and_then(|publish| publish(self, saga, record))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}
