//! A difference, what it puts at risk, and what may be done about it.

use backstitch_proto::money::Money;

use crate::kind::Kind;

/// A difference between the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: Kind,
    /// How much money may be lost by it, to the shop or to a customer.
    pub amount: Money,
    /// What it is about.
    pub about: About,
    /// What may be done.
    pub step: Move,
    /// What is wrong, for people.
    pub what: String,
}

/// What a finding is about; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// The checkout.
    pub saga: String,
    /// The order.
    pub order: String,
    /// Our payment.
    pub payment: String,
    /// The provider's object.
    pub object: String,
    /// The refund, ours or, where we have none, the provider's.
    pub refund: String,
}

/// What may be done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing yet: it is so young that it may settle by itself.
    Wait,
    /// A saga that has not ended is told of it.
    Note {
        /// Which.
        saga: String,
        /// It waits for a person.
        is_parked: bool,
    },
    /// A repair saga takes back what the object holds or has taken.
    Repair {
        /// The object's state that this is decided on: `authorized` or `captured`.
        state: &'static str,
    },
    /// A person has to look.
    Person(Because),
}

/// Why only a person can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// No program can put this kind right, or an order may still need the money.
    Judgement,
    /// The object names no saga of ours: it may be somebody else's on the same account.
    Foreign,
    /// It names a saga and a payment, and nobody here knows either: another shop on the same account may.
    Stranger,
    /// The orchestrator should know the saga and does not.
    UnknownSaga,
}

impl Finding {
    /// Whether its amount is money at risk: not yet while it may settle by itself.
    pub fn is_at_risk(&self) -> bool {
        self.step != Move::Wait
    }

    /// What makes it the same finding another time.
    pub fn identity(&self) -> (Kind, &About) {
        (self.kind, &self.about)
    }

    /// The next move, for a person.
    pub fn next(&self) -> String {
        match &self.step {
            Move::Wait => {
                "Nothing yet: it is so young that it may settle by itself. Run this again.".to_owned()
            }
            Move::Note { saga, is_parked: true } => {
                format!("Its saga {saga} is parked and has a note of this: look at why it waits.")
            }
            Move::Note { saga, is_parked: false } => {
                format!("Its saga {saga} is under way and has a note of this: look at what it waits for.")
            }
            Move::Repair { state: "authorized" } => "`backstitch reconcile --repair` cancels it.".to_owned(),
            Move::Repair { .. } => "`backstitch reconcile --repair` refunds it.".to_owned(),
            Move::Person(Because::Judgement) => self.kind.by_hand().to_owned(),
            Move::Person(Because::Foreign) => format!(
                "It names no saga of ours, so it may be another shop's on this account. {}",
                self.kind.by_hand()
            ),
            Move::Person(Because::Stranger) => format!(
                "Nobody here knows its payment or its saga, so it may be another shop's on this account (then say --shared-account), or of before a database was lost. {}",
                self.kind.by_hand()
            ),
            Move::Person(Because::UnknownSaga) => format!(
                "The orchestrator does not know its saga and should: is it the right one, or was its database restored? {}",
                self.kind.by_hand()
            ),
        }
    }
}
