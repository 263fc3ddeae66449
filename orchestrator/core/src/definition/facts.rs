//! What a definition's functions may look at: the input, and outputs of earlier steps by typed handle.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::builder::Handle;
use super::set::StepId;
use crate::outcome::Refusal;

/// A request, guard or answer that cannot be made sense of; the step is Broken with this reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// With this reason.
    pub fn new(why: impl ToString) -> Self {
        Self(why.to_string())
    }
}

/// The erased facts of a saga: id, input, outputs so far.
pub struct Facts<'a> {
    /// The saga's id.
    pub saga: Uuid,
    /// The encoded input.
    pub input: &'a Bytes,
    /// The encoded output of a step that is done.
    pub output: &'a dyn Fn(StepId) -> Option<Bytes>,
}

/// The typed view of a saga's input that requests, guards and undos are built from.
pub struct Context<I> {
    /// The saga's id; ids of things are derived from it.
    pub saga: Uuid,
    /// What the saga started with.
    pub input: I,
}

impl<I: Message + Default> Context<I> {
    pub(super) fn decode(facts: &Facts<'_>) -> Result<Self, Invalid> {
        let input = I::decode(facts.input.clone()).map_err(|e| Invalid(format!("the saga's input: {e}")))?;
        Ok(Self { saga: facts.saga, input })
    }
}

/// Outputs that a step reads: nothing, one handle, or several.
pub trait Reads: Copy + Send + Sync + 'static {
    /// The decoded outputs.
    type Outputs;
    /// Which steps they are of.
    fn steps(self) -> Vec<StepId>;
    /// Decodes them.
    fn decode(self, facts: &Facts<'_>) -> Result<Self::Outputs, Invalid>;
}

impl Reads for () {
    type Outputs = ();

    fn steps(self) -> Vec<StepId> {
        Vec::new()
    }

    fn decode(self, _: &Facts<'_>) -> Result<(), Invalid> {
        Ok(())
    }
}

impl<T: Message + Default + 'static> Reads for Handle<T> {
    type Outputs = T;

    fn steps(self) -> Vec<StepId> {
        vec![self.step()]
    }

    fn decode(self, facts: &Facts<'_>) -> Result<T, Invalid> {
        let output = (facts.output)(self.step());
        let output = output.ok_or_else(|| Invalid("an output is read before its step is done".into()))?;
        T::decode(output).map_err(|e| Invalid(format!("an earlier step's output: {e}")))
    }
}

impl<A: Reads, B: Reads> Reads for (A, B) {
    type Outputs = (A::Outputs, B::Outputs);

    fn steps(self) -> Vec<StepId> {
        [self.0.steps(), self.1.steps()].concat()
    }

    fn decode(self, facts: &Facts<'_>) -> Result<Self::Outputs, Invalid> {
        Ok((self.0.decode(facts)?, self.1.decode(facts)?))
    }
}

/// What a guard says: go on, or refuse without calling.
pub(super) type Guarded = Result<Option<Refusal>, Invalid>;
