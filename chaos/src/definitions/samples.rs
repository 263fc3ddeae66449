//! What the author of a definition knows and the laws cannot guess.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_core::{Definition, End, StepId};
use backstitch_proto::contract::Op;
use bytes::Bytes;
use participant_kit::barrier::table::{Decision, Manner, RowState, decide};
use prost::Message;
use uuid::Uuid;

/// The id of every saga that the laws run. Sample answers that name derived things derive them from it.
pub const SAGA: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_5a6a_0001);

/// A participant's barrier table; see [`decide`] for the contract's.
pub type Barrier = fn(RowState, Op, Manner, bool) -> Decision;

/// An input, and what participants answer to it.
#[derive(Clone)]
pub struct Samples {
    input: Bytes,
    steps: BTreeMap<&'static str, Step>,
    needs: Vec<(&'static str, &'static str)>,
    end: End,
    barrier: Barrier,
}

/// What is known of one step. The default is a local effect that is answered with an empty message.
#[derive(Clone, Default)]
pub(super) struct Step {
    /// One answer that is stored and repeated; or several, given in turn by a participant without a barrier.
    answers: Vec<Bytes>,
    /// What it answers while it waits for the customer.
    pub(super) pending: Option<Bytes>,
    /// The effect is at a provider.
    pub(super) outside: bool,
    /// What it leaves behind is nothing.
    pub(super) leaves_nothing: bool,
    /// Steps that have to stand for as long as this one does.
    pub(super) needs: BTreeSet<usize>,
}

impl Step {
    /// The answer to the call number `n`, from 0.
    pub(super) fn answer(&self, n: usize) -> Bytes {
        if self.answers.is_empty() {
            return Bytes::new();
        }
        self.answers[n % self.answers.len()].clone()
    }

    /// Whether repeated calls are answered from a stored row.
    pub(super) fn has_barrier(&self) -> bool {
        self.answers.len() < 2
    }
}

impl Samples {
    /// For this input. A saga of it is expected to complete, and every step's answer is an empty message, until told
    /// otherwise.
    pub fn new(input: &impl Message) -> Self {
        Self {
            input: input.encode_to_vec().into(),
            steps: BTreeMap::new(),
            needs: Vec::new(),
            end: End::Completed,
            barrier: decide,
        }
    }

    /// What the step's participant answers.
    #[must_use]
    pub fn answer(mut self, step: &'static str, answer: &impl Message) -> Self {
        self.step(step).answers = vec![answer.encode_to_vec().into()];
        self
    }

    /// What a participant without a barrier answers, call by call and then again from the first: a read, whose step
    /// should be declared `may_differ`. Give at least two that differ; a step with one answer has a barrier. Implies
    /// [`Samples::leaves_nothing`].
    #[must_use]
    pub fn differing(mut self, step: &'static str, answers: &[impl Message]) -> Self {
        self.step(step).answers = answers.iter().map(|answer| answer.encode_to_vec().into()).collect();
        self.leaves_nothing(step)
    }

    /// What the step's participant answers while it waits for the customer. Implies [`Samples::outside`].
    #[must_use]
    pub fn pending(mut self, step: &'static str, answer: &impl Message) -> Self {
        self.step(step).pending = Some(answer.encode_to_vec().into());
        self.outside(step)
    }

    /// The step's effect is at a provider, not in the participant's own database: its process can also die between the
    /// intent, the effect and the record of it.
    #[must_use]
    pub fn outside(mut self, step: &'static str) -> Self {
        self.step(step).outside = true;
        self
    }

    /// The step leaves nothing behind that anybody would have to take back. Said of every step that `needs_no_undo`,
    /// on purpose a second time: whatever is not said to leave nothing must be gone when a saga is compensated.
    #[must_use]
    pub fn leaves_nothing(mut self, step: &'static str) -> Self {
        self.step(step).leaves_nothing = true;
        self
    }

    /// The business has it that `step` may only stand while `other` does. Said independently of the definition's own
    /// edges, so that a forgotten one is found.
    #[must_use]
    pub fn needs(mut self, step: &'static str, other: &'static str) -> Self {
        self.needs.push((step, other));
        self
    }

    /// A guard refuses this input: without any fault the saga is compensated.
    #[must_use]
    pub fn is_refused(mut self) -> Self {
        self.end = End::Compensated;
        self
    }

    /// Participants decide by this table instead of the kit's own: one that another implementation uses, or a broken one
    /// to see what the laws say of it.
    #[must_use]
    pub fn barrier(mut self, barrier: Barrier) -> Self {
        self.barrier = barrier;
        self
    }

    fn step(&mut self, name: &'static str) -> &mut Step {
        self.steps.entry(name).or_default()
    }
}

/// Samples by the steps of one definition.
pub(super) struct Stage<'d> {
    pub(super) definition: &'d Definition,
    pub(super) input: Bytes,
    pub(super) steps: Vec<Step>,
    /// How a saga ends without a fault.
    pub(super) end: End,
    pub(super) barrier: Barrier,
}

impl<'d> Stage<'d> {
    /// Fails with the name of a step that the definition does not have.
    pub(super) fn new(definition: &'d Definition, samples: &Samples) -> Result<Self, &'static str> {
        let find = |name: &'static str| definition.find(name).map(StepId::index).ok_or(name);
        let mut steps = vec![Step::default(); definition.steps.len()];
        for (name, step) in &samples.steps {
            steps[find(name)?] = step.clone();
        }
        for (step, other) in &samples.needs {
            steps[find(step)?].needs.insert(find(other)?);
        }
        let (input, end, barrier) = (samples.input.clone(), samples.end, samples.barrier);
        Ok(Self { definition, input, steps, end, barrier })
    }

    pub(super) fn step(&self, id: StepId) -> &Step {
        &self.steps[id.index()]
    }

    pub(super) fn name(&self, id: StepId) -> &'static str {
        self.definition.step(id).name
    }
}
