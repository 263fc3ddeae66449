//! A checkout in miniature, sound or broken in one way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use backstitch_core::{Context, Definition, DefinitionBuilder, Invalid, Operation, Refusal};
use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ask {
    #[prost(string, tag = "1")]
    pub(crate) word: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    #[prost(string, tag = "1")]
    pub(crate) word: String,
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    RequestIsDrawn,
    UndoRequestIsDrawn,
    RequestReadsTheClock,
    QuoteIsNotSaidToDiffer,
    GuardIsDrawn,
    AnswerIsBelievedAtFirst,
    AnswerIsNeverBelieved,
    RequestFailsOnRetry,
    RequestPanicsOnRetry,
    LabelIsLeftBehind,
    EdgeIsForgotten,
    GuardRefusesTheSample,
}

const DO: Operation<Ask, Answer> = Operation::new("somebody", "Do");
const UNDO: Operation<Ask, Answer> = Operation::new("somebody", "Undo");

type Input = Context<Ask>;

/// What no definition may have: a memory, which makes it another definition the next time.
#[derive(Clone, Default)]
struct Memory(Arc<AtomicU64>);

impl Memory {
    fn draw(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// {hold ∥ quote (may differ)} -> pay (reads the quote, guarded) -> label -> **take** -> ship.
pub(crate) fn shop(quirk: Quirk) -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("shop", 1);
    let asked = |c: &Input, ()| c.input.clone();
    let undone = |c: &Input| c.input.clone();
    let drawn = |memory: &Memory| Ask { word: format!("number {}", memory.draw()) };

    let (asking, undoing) = <(Memory, Memory)>::default();
    let hold = d
        .step("hold", DO)
        .try_request(move |c, ()| match quirk {
            Quirk::RequestIsDrawn => Ok(drawn(&asking)),
            Quirk::RequestFailsOnRetry if asking.draw() % 4 == 3 => Err(Invalid::new("too late")),
            Quirk::RequestPanicsOnRetry => {
                Ok(Ask { word: ["once"; 4][usize::try_from(asking.draw()).unwrap()].into() })
            }
            _ => Ok(asked(c, ())),
        })
        .compensated_by(UNDO, move |c| match quirk {
            Quirk::UndoRequestIsDrawn => drawn(&undoing),
            _ => undone(c),
        });

    let mut quote = d.step("quote", DO).request(asked);
    if quirk != Quirk::QuoteIsNotSaidToDiffer {
        quote = quote.may_differ();
    }
    let quote = quote.needs_no_undo("an offer expires by itself");

    let mut pay = d.step("pay", DO);
    if quirk != Quirk::EdgeIsForgotten {
        pay = pay.after([hold.step()]);
    }
    let (guarding, asking, hearing) = <(Memory, Memory, Memory)>::default();
    let pay = pay
        .reading(quote)
        .guard(move |_, _| {
            let refuses = match quirk {
                Quirk::GuardRefusesTheSample => true,
                Quirk::GuardIsDrawn => guarding.draw() % 5 == 4,
                _ => false,
            };
            Ok(refuses.then(|| Refusal::new("TOTAL_CHANGED", "it is not what was shown")))
        })
        .request(move |_, quote| match quirk {
            Quirk::RequestReadsTheClock => Ask { word: format!("{} at {}", quote.word, asking.draw() / 3) },
            _ => Ask { word: quote.word },
        })
        .answer(move |_, _, answer| match quirk {
            Quirk::AnswerIsNeverBelieved => Err(Invalid::new("not what I meant")),
            Quirk::AnswerIsBelievedAtFirst if hearing.draw() % 7 == 6 => {
                Err(Invalid::new("I have heard that"))
            }
            _ if answer.word == "wait" => Ok(Some(Bytes::from_static(b"over there"))),
            _ => Ok(None),
        })
        .compensated_by(UNDO, undone);

    let label = d.step("label", DO).after([pay.step(), hold.step()]).request(asked);
    let label = match quirk {
        Quirk::LabelIsLeftBehind => label.needs_no_undo("it is only paper"),
        _ => label.compensated_by(UNDO, undone),
    };
    let take = d.step("take", DO).after([label.step()]).request(asked).pivot();
    d.step("ship", DO).after([take.step()]).request(asked).retriable();
    d.build().unwrap()
}

/// pay -> **take**.
pub(crate) fn two_steps() -> Definition {
    let mut d = DefinitionBuilder::<Ask>::new("two_steps", 1);
    let pay = d.step("pay", DO).request(|c, ()| c.input.clone());
    let pay = pay.compensated_by(UNDO, |c| c.input.clone());
    d.step("take", DO).after([pay.step()]).request(|c, ()| c.input.clone()).pivot();
    d.build().unwrap()
}
