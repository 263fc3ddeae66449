//! Writing a definition down.
//!
//! A step is described, then finished by the verb that says where it stands: [`StepBuilder::compensated_by`],
//! [`StepBuilder::needs_no_undo`], [`StepBuilder::pivot`] or [`StepBuilder::retriable`]. That gives the typed
//! [`Handle`] through which later steps read its answer; a handle exists only for earlier steps, so a definition
//! cannot have a cycle.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::facts::{Context, Facts, Guarded, Invalid, Reads};
use super::set::{StepId, StepSet};
use super::validate::{self, DefinitionError};
use super::{Class, Definition, Operation, Publication, Remedy, Replay, Step, Undo};
use crate::hidden::Instructions;
use crate::outcome::Outcome;
use crate::record::Record;
use crate::retry::RetryPolicy;
use crate::saga::Saga;

/// The answer of a step, for steps after it.
pub struct Handle<T> {
    step: StepId,
    answer: PhantomData<fn() -> T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> Handle<T> {
    /// The step, for `after`.
    pub fn step(self) -> StepId {
        self.step
    }
}

/// Collects steps; [`DefinitionBuilder::build`] checks them.
pub struct DefinitionBuilder<I> {
    name: &'static str,
    version: u32,
    deadline: Duration,
    undo_retry: RetryPolicy,
    steps: Vec<Step>,
    publish: Option<super::PublishFn>,
    remedy: Option<Remedy>,
    input: PhantomData<fn(I)>,
}

impl<I: Message + Default + 'static> DefinitionBuilder<I> {
    /// A definition of this name and version, with a deadline of 15 minutes before the pivot.
    pub fn new(name: &'static str, version: u32) -> Self {
        let deadline = Duration::from_secs(15 * 60);
        let undo_retry = RetryPolicy::UNDO;
        Self {
            name,
            version,
            deadline,
            undo_retry,
            steps: Vec::new(),
            publish: None,
            remedy: None,
            input: PhantomData,
        }
    }

    /// Another deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Another retry policy for undos than [`RetryPolicy::UNDO`], for steps described from here on. Keep it patient: when
    /// it gives up, a person has to come.
    #[must_use]
    pub fn undo_retry(mut self, retry: RetryPolicy) -> Self {
        self.undo_retry = retry;
        self
    }

    /// What to publish with which record. Gets the state after the record.
    #[must_use]
    pub fn publishing(
        mut self,
        f: impl Fn(&Definition, &Saga, &Record) -> Option<Publication> + Send + Sync + 'static,
    ) -> Self {
        self.publish = Some(Box::new(f));
        self
    }

    /// What a person may have done when steps after the pivot cannot be: a saga of this definition, which is of the same
    /// family and starts with an input made of this one's and of the person's reason. Its steps have to work whatever was done of those, and to stay in force
    /// when what was sent of them comes late.
    #[must_use]
    pub fn made_good_by<Q: Message + 'static>(
        mut self,
        definition: &'static str,
        input: impl Fn(&Context<I>, &str) -> Q + Send + Sync + 'static,
    ) -> Self {
        let input = Box::new(move |facts: &Facts<'_>, why: &str| {
            Ok(Bytes::from(input(&Context::decode(facts)?, why).encode_to_vec()))
        });
        self.remedy = Some(Remedy { definition, input });
        self
    }

    /// Begins a step that asks `operation` of its participant.
    pub fn step<Q, A>(
        &mut self,
        name: &'static str,
        operation: Operation<Q, A>,
    ) -> StepBuilder<'_, I, Q, A, ()>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        StepBuilder {
            name,
            operation,
            after: StepSet::EMPTY,
            reads: (),
            replay: Replay::Same,
            timeout: Duration::from_secs(5),
            retry: None,
            undo_retry: self.undo_retry,
            customer_wait: Duration::from_secs(10 * 60),
            guard: None,
            request: None,
            interpret: None,
            validity: None,
            definition: self,
        }
    }

    /// Checks the definition as a whole.
    pub fn build(self) -> Result<Definition, DefinitionError> {
        validate::finish(self.name, self.version, self.deadline, self.steps, self.publish, self.remedy)
    }
}

type Check<A> = Box<dyn Fn(&Facts<'_>, &A) -> Result<Option<Bytes>, Invalid> + Send + Sync>;

/// A step being described.
pub struct StepBuilder<'d, I, Q, A, R> {
    definition: &'d mut DefinitionBuilder<I>,
    name: &'static str,
    operation: Operation<Q, A>,
    after: StepSet,
    reads: R,
    replay: Replay,
    timeout: Duration,
    retry: Option<RetryPolicy>,
    undo_retry: RetryPolicy,
    customer_wait: Duration,
    guard: Option<super::GuardFn>,
    request: Option<super::RequestFn>,
    interpret: Option<Check<A>>,
    validity: Option<super::ValidityFn>,
}

impl<'d, I, Q, A> StepBuilder<'d, I, Q, A, ()> {
    /// The earlier answers that the request and the guard read. Implies `after`.
    pub fn reading<R: Reads>(self, reads: R) -> StepBuilder<'d, I, Q, A, R> {
        StepBuilder {
            definition: self.definition,
            name: self.name,
            operation: self.operation,
            after: self.after,
            reads,
            replay: self.replay,
            timeout: self.timeout,
            retry: self.retry,
            undo_retry: self.undo_retry,
            customer_wait: self.customer_wait,
            guard: self.guard,
            request: self.request,
            interpret: self.interpret,
            validity: self.validity,
        }
    }
}

impl<I, Q, A, R> StepBuilder<'_, I, Q, A, R>
where
    I: Message + Default + 'static,
    Q: Message + 'static,
    A: Message + Default + 'static,
    R: Reads,
{
    /// Steps that must be done first.
    #[must_use]
    pub fn after<const N: usize>(mut self, steps: [StepId; N]) -> Self {
        self.after = self.after.union(steps.into_iter().collect());
        self
    }

    /// A repeated call may answer something else.
    #[must_use]
    pub fn may_differ(mut self) -> Self {
        self.replay = Replay::MayDiffer;
        self
    }

    /// Longest single attempt; 5 s unless told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Another retry policy than the class's usual one.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Another retry policy for this undo than the definition's.
    #[must_use]
    pub fn undo_retry(mut self, retry: RetryPolicy) -> Self {
        self.undo_retry = retry;
        self
    }

    /// How long the participant may wait for the customer; 10 minutes unless told.
    #[must_use]
    pub fn customer_wait(mut self, wait: Duration) -> Self {
        self.customer_wait = wait;
        self
    }

    /// A pure check before the first call: a refusal is recorded as that of a step that was never called.
    #[must_use]
    pub fn guard(mut self, f: impl Fn(&Context<I>, R::Outputs) -> Guarded + Send + Sync + 'static) -> Self {
        let reads = self.reads;
        self.guard = Some(Box::new(move |facts| f(&Context::decode(facts)?, reads.decode(facts)?)));
        self
    }

    /// Builds the request.
    #[must_use]
    pub fn request(self, f: impl Fn(&Context<I>, R::Outputs) -> Q + Send + Sync + 'static) -> Self {
        self.try_request(move |context, outputs| Ok(f(context, outputs)))
    }

    /// Builds the request, where building it can fail (a sum may overflow); then the step is Broken.
    #[must_use]
    pub fn try_request(
        mut self,
        f: impl Fn(&Context<I>, R::Outputs) -> Result<Q, Invalid> + Send + Sync + 'static,
    ) -> Self {
        let reads = self.reads;
        self.request = Some(Box::new(move |facts| {
            let request = f(&Context::decode(facts)?, reads.decode(facts)?)?;
            Ok(request.encode_to_vec().into())
        }));
        self
    }

    /// Checks an answer before it is believed: `None` is Done, `Some(next action)` is Pending, and an error makes
    /// the step Broken. Without it every answer that decodes is Done.
    #[must_use]
    pub fn answer(
        mut self,
        f: impl Fn(&Context<I>, R::Outputs, &A) -> Result<Option<Bytes>, Invalid> + Send + Sync + 'static,
    ) -> Self {
        let reads = self.reads;
        self.interpret =
            Some(Box::new(move |facts, answer| f(&Context::decode(facts)?, reads.decode(facts)?, answer)));
        self
    }

    /// How long what the answer gives can be relied on (an offer, a hold), counted from before the step was asked. The
    /// saga turns back by itself when that would end before the pivot is answered. Before the pivot only.
    #[must_use]
    pub fn lasting(mut self, f: impl Fn(&A) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.validity =
            Some(Box::new(move |output| A::decode(output.clone()).ok().and_then(|answer| f(&answer))));
        self
    }

    /// Finishes a step before the pivot that `operation` takes back. Its request is built from the input alone:
    /// somebody who never saw the step's answer must be able to send it.
    pub fn compensated_by<U, V>(
        self,
        operation: Operation<U, V>,
        request: impl Fn(&Context<I>) -> U + Send + Sync + 'static,
    ) -> Handle<A>
    where
        U: Message + 'static,
        V: Message + Default + 'static,
    {
        let undo = Undo {
            participant: operation.participant,
            action: operation.action,
            timeout: Duration::from_secs(10),
            retry: self.undo_retry,
            request: Box::new(move |facts| Ok(request(&Context::decode(facts)?).encode_to_vec().into())),
        };
        self.finish(Class::Compensatable, Some(undo))
    }

    /// Finishes a step before the pivot that has nothing to take back, and says why.
    pub fn needs_no_undo(self, why: &'static str) -> Handle<A> {
        self.finish(Class::NeedsNoUndo(why), None)
    }

    /// Finishes the step that decides.
    pub fn pivot(self) -> Handle<A> {
        self.finish(Class::Pivot, None)
    }

    /// Finishes a step after the pivot, which is repeated until it is done.
    pub fn retriable(self) -> Handle<A> {
        self.finish(Class::Retriable, None)
    }

    fn finish(self, class: Class, undo: Option<Undo>) -> Handle<A> {
        let steps = &mut self.definition.steps;
        // Saturates; `build` refuses a definition that is too long before any id is used.
        let id = StepId::new(steps.len().min(StepSet::CAPACITY - 1)).expect("bounded by the line itself");
        let reads: StepSet = self.reads.steps().into_iter().collect();
        let check = self.interpret;
        let interpret = move |facts: &Facts<'_>, bytes: Bytes| match A::decode(bytes.clone()) {
            Err(e) => Outcome::Broken(format!("the answer does not decode: {e}")),
            Ok(answer) => match check.as_ref().map_or(Ok(None), |check| check(facts, &answer)) {
                Ok(None) => Outcome::Done(bytes),
                Ok(Some(next_action)) => Outcome::Pending { next_action: Instructions(next_action) },
                Err(Invalid(why)) => Outcome::Broken(why),
            },
        };
        steps.push(Step {
            name: self.name,
            participant: self.operation.participant,
            action: self.operation.action,
            class,
            after: self.after.union(reads),
            ancestors: StepSet::EMPTY,
            descendants: StepSet::EMPTY,
            reads,
            replay: self.replay,
            timeout: self.timeout,
            retry: self.retry.unwrap_or(match class {
                Class::Retriable => RetryPolicy::AFTER_PIVOT,
                _ => RetryPolicy::FORWARD,
            }),
            customer_wait: self.customer_wait,
            undo,
            request: self.request,
            guard: self.guard,
            interpret: Box::new(interpret),
            validity: self.validity,
        });
        Handle { step: id, answer: PhantomData }
    }
}
