//! What the audit found, for people ([`Display`](std::fmt::Display)) and programs ([`serde::Serialize`]).

mod display;

use std::collections::BTreeMap;

pub(crate) use display::money;
use serde::Serialize;

/// The invariants that can be checked on databases at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// I1: money is where the orders say, and nothing is left held.
    #[serde(rename = "I1")]
    Money,
    /// I2: goods neither appear nor vanish.
    #[serde(rename = "I2")]
    Stock,
    /// I3: at most one order and one capture, one live checkout per cart.
    #[serde(rename = "I3")]
    Once,
    /// I4: never a capture after a void, nor the reverse.
    #[serde(rename = "I4")]
    CaptureOrVoid,
    /// I7: the journal is whole, and every commit's events appear, in order, without a gap.
    #[serde(rename = "I7")]
    Events,
}

impl Invariant {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Money, Self::Stock, Self::Once, Self::CaptureOrVoid, Self::Events];

    /// `I1`, `I2` …
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Money => "I1",
            Self::Stock => "I2",
            Self::Once => "I3",
            Self::CaptureOrVoid => "I4",
            Self::Events => "I7",
        }
    }

    /// A few words for it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Money => "money is where the orders say",
            Self::Stock => "goods neither appear nor vanish",
            Self::Once => "one order, one capture, one checkout per cart",
            Self::CaptureOrVoid => "captured or voided, never both",
            Self::Events => "whole journals, every event, in order",
        }
    }
}

/// One thing that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which invariant it breaks.
    pub invariant: Invariant,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The ids involved, by what they are ids of: `saga`, `order`, `payment`, `sku` …
    pub ids: BTreeMap<&'static str, String>,
    /// Which database and rows to look at.
    pub look_at: String,
}

/// A saga that waits for a person, with what it leaves in the air meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// Its id.
    pub saga: String,
    /// Its definition.
    pub definition: String,
    /// Why, one line per parked step.
    pub why: Vec<String>,
    /// Its order and its money, where it has any.
    pub leaves: Vec<String>,
}

/// What the bank has seen, in one currency, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Taken.
    pub captured_minor: i64,
    /// Given back.
    pub refunded_minor: i64,
    /// Held now.
    pub held_minor: i64,
}

/// How much was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sagas of every kind.
    pub sagas: usize,
    /// Sagas that ended well.
    pub completed: usize,
    /// Sagas that ended with everything taken back.
    pub compensated: usize,
    /// Sagas that go on when a process takes them up; only what must hold at every commit was asked of them.
    pub in_flight: usize,
    /// Journal records.
    pub records: usize,
    /// Orders.
    pub orders: usize,
    /// Orders that stand.
    pub orders_standing: usize,
    /// Payments in our ledger.
    pub payments: usize,
    /// Accounts at the bank.
    pub accounts: usize,
    /// SKUs with stock.
    pub skus: usize,
    /// Reservations, open and sold.
    pub reservations: usize,
    /// Carts.
    pub carts: usize,
    /// Parcels.
    pub shipments: usize,
    /// Kept events, the orchestrator's and the participants'.
    pub events: usize,
}

/// The verdict with everything behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How much was looked at.
    pub counts: Counts,
    /// What the bank has seen, by currency.
    pub money: BTreeMap<String, Amounts>,
    /// Sagas that wait for a person. They break no invariant; they are what remains to do.
    pub parked: Vec<Parked>,
    /// What this audit could not look at, in words.
    pub not_audited: Vec<String>,
    /// What must not be.
    pub violations: Vec<Violation>,
}

impl Report {
    /// No invariant is broken. Parked sagas and sagas in flight are allowed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The violations of one invariant.
    pub fn of(&self, invariant: Invariant) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(move |violation| violation.invariant == invariant)
    }
}
