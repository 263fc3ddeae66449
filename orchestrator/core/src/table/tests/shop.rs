//! Definitions that the table's tests run.

use std::time::Duration;

use bytes::Bytes;

use crate::definition::{Definition, DefinitionBuilder, Handle, Invalid, Operation, StepId};
use crate::outcome::Refusal;
use crate::retry::RetryPolicy;

/// What a saga starts with and what is asked.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Ask {
    #[prost(string, tag = "1")]
    pub(super) word: String,
}

/// What participants answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Answer {
    #[prost(string, tag = "1")]
    pub(super) word: String,
    /// The customer has to act.
    #[prost(bool, tag = "2")]
    pub(super) asks: bool,
    /// Not to be believed.
    #[prost(bool, tag = "3")]
    pub(super) lies: bool,
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// After 1, 2, 4, 4 … seconds; the second at 10 is the last.
pub(super) const FORWARD: RetryPolicy =
    RetryPolicy { first: secs(1), cap: secs(4), budget: secs(10), attempts: u32::MAX };
/// After 2, 4, 8 … seconds, for 20.
pub(super) const UNDO: RetryPolicy =
    RetryPolicy { first: secs(2), cap: secs(8), budget: secs(20), attempts: u32::MAX };
/// What [`shop`] gives the customer.
pub(super) const CUSTOMER: Duration = secs(60);

const DO: Operation<Ask, Answer> = Operation::new("somebody", "Do");
const UNDO_IT: Operation<Ask, Answer> = Operation::new("somebody", "Undo");

fn believable<R>(_: &crate::Context<Ask>, _: R, answer: &Answer) -> Result<Option<Bytes>, Invalid> {
    match answer {
        Answer { lies: true, .. } => Err(Invalid::new("it lies")),
        Answer { asks: true, .. } => Ok(Some(Bytes::from_static(b"asks"))),
        _ => Ok(None),
    }
}

/// A checkout in miniature, deadline 900 s:
/// {hold ∥ stock ∥ quote (may differ)} -> pay (reads the quote; guard: it is not "dear") -> **take**
/// -> {ship ∥ mail (reads the quote)}.
pub(super) fn shop() -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("shop", 1)
        .deadline(secs(900))
        .made_good_by("return", |c, _| c.input.clone());
    let held = |d: &mut DefinitionBuilder<Ask>, name| {
        d.step(name, DO)
            .retry(FORWARD)
            .undo_retry(UNDO)
            .request(|c, ()| c.input.clone())
            .compensated_by(UNDO_IT, |c| c.input.clone())
            .step()
    };
    let (hold, stock) = (held(&mut d, "hold"), held(&mut d, "stock"));
    let quote = d
        .step("quote", DO)
        .may_differ()
        .retry(FORWARD)
        .request(|c, ()| c.input.clone())
        .needs_no_undo("an offer expires by itself");
    let pay = d
        .step("pay", DO)
        .after([hold, stock])
        .reading(quote)
        .retry(FORWARD)
        .undo_retry(UNDO)
        .customer_wait(CUSTOMER)
        .guard(|_, quote| Ok((quote.word == "dear").then(|| Refusal::new("TOTAL_CHANGED", "it is dear"))))
        .request(|_, quote| Ask { word: quote.word })
        .answer(believable)
        .compensated_by(UNDO_IT, |c| c.input.clone());
    let take = d
        .step("take", DO)
        .after([pay.step()])
        .retry(FORWARD)
        .customer_wait(CUSTOMER)
        .try_request(|c, ()| match c.input.word.as_str() {
            "unaskable" => Err(Invalid::new("the sum overflows")),
            _ => Ok(c.input.clone()),
        })
        .answer(believable)
        .pivot();
    d.step("ship", DO)
        .after([take.step()])
        .retry(FORWARD)
        .customer_wait(CUSTOMER)
        .request(|c, ()| c.input.clone())
        .answer(believable)
        .retriable();
    d.step("mail", DO)
        .after([take.step()])
        .reading(quote)
        .retry(FORWARD)
        .request(|_, quote| Ask { word: quote.word })
        .retriable();
    d.build().unwrap()
}

/// a -> {b ∥ c (guard: a did not say "dear")}, all compensatable.
pub(super) fn fork() -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("fork", 1);
    let a = d.step("a", DO).request(|c, ()| c.input.clone()).compensated_by(UNDO_IT, |c| c.input.clone());
    for name in ["b", "c"] {
        d.step(name, DO)
            .reading(a)
            .guard(move |_, a| {
                Ok((name == "c" && a.word == "dear").then(|| Refusal::new("TOTAL_CHANGED", "it is dear")))
            })
            .request(|c, _| c.input.clone())
            .compensated_by(UNDO_IT, |c| c.input.clone());
    }
    d.build().unwrap()
}

/// Compensatable steps in this shape, no pivot. A step is written after those it depends on.
pub(super) fn graph(shape: &[(&'static str, &[&str])]) -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("graph", 1).deadline(secs(900));
    let mut known: Vec<(&str, Handle<Answer>)> = Vec::new();
    for (name, after) in shape {
        let find = |wanted: &&str| known.iter().find(|(name, _)| name == wanted).unwrap().1.step();
        let mut earlier: Vec<StepId> = after.iter().map(find).collect();
        earlier.resize(2, earlier.last().copied().unwrap_or(StepId::new(0).unwrap()));
        let step = d.step(name, DO).retry(FORWARD).undo_retry(UNDO).request(|c, ()| c.input.clone());
        let step = if after.is_empty() { step } else { step.after([earlier[0], earlier[1]]) };
        known.push((name, step.compensated_by(UNDO_IT, |c| c.input.clone())));
    }
    d.build().unwrap()
}
