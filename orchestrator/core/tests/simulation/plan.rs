//! Random definitions: any shape of up to seven steps, with and without a pivot.

use std::time::Duration;

use backstitch_core::{
    Context, Definition, DefinitionBuilder, Facts, Handle, Invalid, Operation, Reads, Refusal, RetryPolicy,
    StepId,
};
use bytes::Bytes;
use proptest::prelude::*;

pub(crate) const MOST_STEPS: usize = 7;
const NAMES: [&str; MOST_STEPS] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ask {
    /// A hash of everything that the request is made from.
    #[prost(uint64, tag = "1")]
    pub(crate) hash: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    #[prost(uint64, tag = "1")]
    pub(crate) nonce: u64,
    /// Not to be believed.
    #[prost(bool, tag = "2")]
    pub(crate) lies: bool,
}

/// What the customer does at a step that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Customer {
    /// The step waits for none.
    None,
    Finishes,
    Fails,
    Vanishes,
}

/// What a step is, as far as its place allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepPlan {
    /// Bits of earlier steps.
    pub(crate) after: u8,
    /// Bits of earlier steps.
    pub(crate) reads: u8,
    /// Before the pivot only; else it needs no undo.
    pub(crate) undo: bool,
    pub(crate) may_differ: bool,
    /// Refuses by what it reads. Not after the pivot.
    pub(crate) guard: bool,
    /// Its effect happens at a provider, behind a `doing` row.
    pub(crate) outside: bool,
    /// The business says no. Not after the pivot.
    pub(crate) refuses: bool,
    /// What it gives ends some seconds after it was asked. Before the pivot only.
    pub(crate) lasting: bool,
    /// Not after the pivot.
    pub(crate) customer: Customer,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<StepPlan>,
    pub(crate) pivot: Option<usize>,
}

pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    let odds = |p: f64| proptest::bool::weighted(p);
    let customer = prop_oneof![
        6 => Just(Customer::None),
        1 => Just(Customer::Finishes),
        1 => Just(Customer::Fails),
        1 => Just(Customer::Vanishes),
    ];
    let flags = (odds(0.8), odds(0.3), odds(0.15), odds(0.3), odds(0.08), odds(0.15), customer);
    let step = (any::<u8>(), any::<u8>(), flags).prop_map(
        |(after, reads, (undo, may_differ, guard, outside, refuses, lasting, customer))| StepPlan {
            after,
            // Fewer reads than dependencies.
            reads: reads & reads.rotate_left(3),
            undo,
            may_differ,
            guard,
            outside,
            refuses,
            lasting,
            customer,
        },
    );
    (prop::collection::vec(step, 1..=MOST_STEPS), prop::option::weighted(0.7, 0..MOST_STEPS))
        .prop_map(|(steps, pivot)| Plan { steps, pivot }.made_legal())
}

impl Plan {
    /// Bends a random draft into a definition that builds.
    fn made_legal(mut self) -> Self {
        self.pivot = self.pivot.map(|pivot| pivot.min(self.steps.len() - 1));
        for (i, step) in self.steps.iter_mut().enumerate() {
            let earlier = (1u8 << i) - 1;
            (step.after, step.reads) = (step.after & earlier, step.reads & earlier);
            match self.pivot {
                Some(pivot) if i == pivot => step.after = earlier,
                Some(pivot) if i > pivot => {
                    if (step.after | step.reads) >> pivot == 0 {
                        step.after |= 1 << pivot;
                    }
                    (step.guard, step.refuses, step.customer) = (false, false, Customer::None);
                }
                _ => {}
            }
            step.lasting &= self.pivot.is_none_or(|pivot| i < pivot);
            step.outside |= step.customer != Customer::None;
        }
        for step in (0..self.steps.len()).filter_map(StepId::new) {
            if !self.has_barrier(step) {
                (self.steps[step.index()].outside, self.steps[step.index()].customer) =
                    (false, Customer::None);
            }
        }
        self
    }

    pub(crate) fn is_pivot(&self, step: StepId) -> bool {
        self.pivot == Some(step.index())
    }

    pub(crate) fn is_after_pivot(&self, step: StepId) -> bool {
        self.pivot.is_some_and(|pivot| step.index() > pivot)
    }

    pub(crate) fn is_compensatable(&self, step: StepId) -> bool {
        !self.is_pivot(step) && !self.is_after_pivot(step) && self.steps[step.index()].undo
    }

    /// A read that may differ and leaves nothing behind has no barrier; everything else does.
    pub(crate) fn has_barrier(&self, step: StepId) -> bool {
        let free = !self.is_pivot(step) && !self.is_after_pivot(step) && !self.steps[step.index()].undo;
        !(free && self.steps[step.index()].may_differ)
    }

    pub(crate) fn build(&self) -> Definition {
        let mut d = DefinitionBuilder::<Ask>::new("random", 1)
            .deadline(Duration::from_secs(20))
            .made_good_by("return", |c, _| c.input.clone());
        let mut handles: [Option<Handle<Answer>>; MOST_STEPS] = [None; MOST_STEPS];
        for (i, plan) in self.steps.iter().enumerate() {
            let id = |bits: u8, otherwise: StepId| {
                std::array::from_fn::<StepId, MOST_STEPS, _>(|j| {
                    if bits & (1 << j) == 0 { otherwise } else { StepId::new(j).unwrap() }
                })
            };
            let reads = Outputs(std::array::from_fn(|j| handles[j].filter(|_| plan.reads & (1 << j) != 0)));
            let step = d.step(NAMES[i], Operation::<Ask, Answer>::new("participant", "Do")).reading(reads);
            // An array of one length for any number of dependencies: the first stands for the missing ones.
            let first = StepId::new(usize::try_from(plan.after.trailing_zeros()).unwrap() % 8);
            let step = match first.filter(|_| plan.after != 0) {
                Some(first) => step.after(id(plan.after, first)),
                None => step,
            };
            let step = if plan.may_differ { step.may_differ() } else { step };
            let step = if plan.guard { step.guard(guard) } else { step };
            let step = if plan.lasting { step.lasting(|answer: &Answer| Some(lasts(answer))) } else { step };
            let step = step
                .retry(RetryPolicy {
                    first: Duration::from_millis(100),
                    cap: Duration::from_secs(1),
                    budget: Duration::from_secs(3),
                    attempts: if i % 3 == 2 { 2 } else { u32::MAX },
                })
                .undo_retry(RetryPolicy {
                    first: Duration::from_millis(200),
                    cap: Duration::from_secs(2),
                    budget: Duration::from_secs(6),
                    attempts: if i % 3 == 1 { 3 } else { u32::MAX },
                })
                .customer_wait(Duration::from_secs(5))
                .request(move |c, outputs| Ask { hash: hash(c.input.hash.wrapping_add(i as u64), &outputs) })
                .answer(|_, _, answer| match answer.lies {
                    true => Err(Invalid::new("it lies")),
                    false => Ok(None),
                });
            handles[i] = Some(match self.pivot {
                Some(pivot) if i == pivot => step.pivot(),
                Some(pivot) if i > pivot => step.retriable(),
                _ if plan.undo => step.compensated_by(
                    Operation::<Ask, Answer>::new("participant", "Undo"),
                    move |c: &Context<Ask>| Ask { hash: hash(c.input.hash.wrapping_add(i as u64), &[]) },
                ),
                _ => step.needs_no_undo("it leaves nothing behind"),
            });
        }
        d.build().unwrap()
    }
}

/// Six to nineteen seconds: mostly within the deadline, often enough for the whole way.
fn lasts(answer: &Answer) -> Duration {
    Duration::from_secs(6 + answer.nonce % 14)
}

/// Pure: refuses one in four.
fn guard(_: &Context<Ask>, outputs: Vec<u64>) -> Result<Option<Refusal>, Invalid> {
    Ok((hash(1, &outputs).is_multiple_of(4)).then(|| Refusal::new("GUARDED", "by what it read")))
}

fn hash(seed: u64, outputs: &[u64]) -> u64 {
    outputs
        .iter()
        .fold(seed, |sum, output| (sum ^ output).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17))
}

/// The nonces of any of the earlier steps.
#[derive(Clone, Copy)]
struct Outputs([Option<Handle<Answer>>; MOST_STEPS]);

impl Reads for Outputs {
    type Outputs = Vec<u64>;

    fn steps(self) -> Vec<StepId> {
        self.0.into_iter().flatten().map(Handle::step).collect()
    }

    fn decode(self, facts: &Facts<'_>) -> Result<Vec<u64>, Invalid> {
        self.0.into_iter().flatten().map(|handle| Ok(handle.decode(facts)?.nonce)).collect()
    }
}

pub(crate) fn input() -> Bytes {
    prost::Message::encode_to_vec(&Ask { hash: 7 }).into()
}
