//! The definitions that are explored, and what the model needs to know of their steps besides.

use std::time::Duration;

use backstitch_core::{
    Class, Context, Definition, DefinitionBuilder, Invalid, Operation, Publication, Record, Refusal, Replay,
    Saga,
};
use bytes::Bytes;
use participant_kit::barrier::table::Manner;
use prost::Message;

/// Longer than any step is called again; shorter than [`DEADLINE`].
pub(crate) const BUDGETS_END: Duration = Duration::from_secs(100 * 24 * 3600);
/// Until then a saga may stand before its pivot.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1000 * 24 * 3600);

const WAITS: &str = "wait";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Word {
    #[prost(string, tag = "1")]
    pub(crate) word: String,
}

const DO: Operation<Word, Word> = Operation::new("somebody", "Do");
const UNDO: Operation<Word, Word> = Operation::new("somebody", "Undo");

/// What the model knows of a step and the definition does not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) manner: Manner,
    /// A read that leaves nothing behind has none, and answers something else every time.
    pub(crate) barrier: bool,
    /// Its effect takes one unit of what all sagas share.
    pub(crate) takes_stock: bool,
}

/// A definition with its input and its participants' answers.
pub(crate) struct Stage {
    pub(crate) definition: Definition,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) input: Bytes,
    answers: Vec<Bytes>,
}

impl Stage {
    pub(crate) fn new(definition: Definition, input: Bytes, answers: Vec<Bytes>) -> Self {
        let profile = |class: &Class, replay| Profile {
            manner: Manner::Local,
            barrier: !(matches!(class, Class::NeedsNoUndo(_)) && replay == Replay::MayDiffer),
            takes_stock: false,
        };
        let profiles = definition.steps.iter().map(|step| profile(&step.class, step.replay)).collect();
        Self { definition, profiles, input, answers }
    }

    fn of(d: DefinitionBuilder<Word>) -> Self {
        let definition = d.build().expect("the definitions here are sound");
        let answers = vec![Bytes::new(); definition.steps.len()];
        Self::new(definition, word("mugs").encode_to_vec().into(), answers)
    }

    /// The named steps have their effect at a provider.
    pub(crate) fn outside(mut self, names: &[&str]) -> Self {
        for name in names {
            let index = self.index(name);
            self.profiles[index].manner = Manner::Outside;
        }
        self
    }

    /// The named step takes a unit of what all sagas share.
    pub(crate) fn taking_stock(mut self, name: &str) -> Self {
        let index = self.index(name);
        self.profiles[index].takes_stock = true;
        self
    }

    pub(crate) fn index(&self, name: &str) -> usize {
        self.definition.find(name).expect("the definitions here have it").index()
    }

    pub(crate) fn len(&self) -> usize {
        self.profiles.len()
    }

    /// What the participant answers while it waits for the customer.
    pub(crate) fn waiting(&self) -> Bytes {
        word(WAITS).encode_to_vec().into()
    }

    /// What the participant answers; `variant` counts the answers of a read that may differ.
    pub(crate) fn answer(&self, step: usize, variant: u8) -> Bytes {
        if self.profiles[step].barrier || !self.answers[step].is_empty() {
            return self.answers[step].clone();
        }
        word(&variant.to_string()).encode_to_vec().into()
    }
}

fn word(word: &str) -> Word {
    Word { word: word.into() }
}

/// An answer says that the customer is waited for, or is one.
fn waits<R>(_: &Context<Word>, _: R, answer: &Word) -> Result<Option<Bytes>, Invalid> {
    Ok((answer.word == WAITS).then(|| Bytes::from_static(b"over there")))
}

fn builder(name: &'static str) -> DefinitionBuilder<Word> {
    let d = DefinitionBuilder::<Word>::new(name, 1).deadline(DEADLINE).publishing(publish);
    d.made_good_by("return", |c, _| c.input.clone())
}

/// An event at the start and at the end.
fn publish(_: &Definition, _: &Saga, record: &Record) -> Option<Publication> {
    matches!(record, Record::Started(_) | Record::Completed | Record::Compensated).then(|| Publication {
        topic: "checkout.events",
        kind: record.kind().into(),
        payload: Bytes::new(),
    })
}

fn input(c: &Context<Word>, (): ()) -> Word {
    c.input.clone()
}

fn undo(c: &Context<Word>) -> Word {
    c.input.clone()
}

/// The five steps: {hold ∥ quote} -> **take** -> {ship ∥ tell}. One step of each class, a fork before the pivot and one
/// after it; the quote may differ, the pivot is guarded by it and `ship` asks for it.
pub(crate) fn five() -> Stage {
    let mut d = builder("five");
    let hold = d.step("hold", DO).request(input).compensated_by(UNDO, undo);
    let quote = d.step("quote", DO).may_differ().request(input).needs_no_undo("an offer expires by itself");
    let take = d
        .step("take", DO)
        .after([hold.step()])
        .reading(quote)
        .guard(|_, quote: Word| {
            Ok((quote.word == "3").then(|| Refusal::new("TOTAL_CHANGED", "twice is enough")))
        })
        .request(|c, _| c.input.clone())
        .pivot();
    d.step("ship", DO).after([take.step()]).reading(quote).request(|_, quote| quote).retriable();
    d.step("tell", DO).after([take.step()]).request(input).retriable();
    Stage::of(d)
}

/// hold -> pay -> **take**: undo has an order.
pub(crate) fn chain() -> Stage {
    let mut d = builder("chain");
    let hold = d.step("hold", DO).request(input).answer(waits).compensated_by(UNDO, undo);
    let pay = d.step("pay", DO).after([hold.step()]).request(input).answer(waits).compensated_by(UNDO, undo);
    d.step("take", DO).after([pay.step()]).request(input).answer(waits).pivot();
    Stage::of(d)
}

/// {quote -> hold ∥ pay} -> **take**: a request that uses an answer that may differ, beside a step that may turn back.
pub(crate) fn quoted() -> Stage {
    let mut d = builder("quoted");
    let quote = d.step("quote", DO).may_differ().request(input).needs_no_undo("an offer expires by itself");
    let hold = d.step("hold", DO).reading(quote).request(|_, quote| quote).compensated_by(UNDO, undo);
    let pay = d.step("pay", DO).request(input).compensated_by(UNDO, undo);
    d.step("take", DO).after([hold.step(), pay.step()]).request(input).pivot();
    Stage::of(d)
}

/// hold -> **take** -> ship.
pub(crate) fn three() -> Stage {
    let mut d = builder("three");
    let hold = d.step("hold", DO).request(input).compensated_by(UNDO, undo);
    let take = d.step("take", DO).after([hold.step()]).request(input).pivot();
    d.step("ship", DO).after([take.step()]).request(input).retriable();
    Stage::of(d)
}

/// hold -> **take**.
pub(crate) fn two() -> Stage {
    let mut d = builder("two");
    let hold = d.step("hold", DO).request(input).answer(waits).compensated_by(UNDO, undo);
    d.step("take", DO).after([hold.step()]).request(input).answer(waits).pivot();
    Stage::of(d)
}
