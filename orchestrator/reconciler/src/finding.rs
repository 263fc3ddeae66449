//! A difference, what it puts at risk, and what may be done about it.

use backstitch_proto::ids;
use backstitch_proto::money::Money;
use uuid::Uuid;

use crate::kind::Kind;

/// The longest note or reason that the orchestrator takes, in characters.
const TEXT: usize = 500;

/// A difference between the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: Kind,
    /// How much money may be lost by it, to the shop or to a customer.
    pub amount: Money,
    /// What it is about.
    pub about: About,
    /// The sums that the books have of that.
    pub sums: String,
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

    /// The id under which a person judges it: of the kind, what it is about, and all the money as it was seen. Not of the
    /// sentence, which a release may word anew, nor of what may be done, which changes as sagas end.
    pub fn id(&self) -> Uuid {
        let About { saga, order, payment, object, refund } = &self.about;
        let (minor, currency) = (self.amount.minor.to_string(), self.amount.currency.as_str());
        let parts = [self.kind.as_str(), saga, order, payment, object, refund, &minor, currency, &self.sums];
        ids::derived(Uuid::nil(), &parts.join("\n"))
    }

    /// What it says in the words of a record: a note, a reason. The same for the same finding, so that it is written once.
    pub(crate) fn record(&self) -> String {
        let whole = format!("reconcile found {}: {}", self.kind.as_str(), self.what);
        whole.chars().filter(|c| !c.is_control()).take(TEXT).collect()
    }

    /// Whether a person may acknowledge it: not while it may settle by itself or by a saga, nor what has a way of its own to
    /// be settled.
    ///
    /// # Errors
    /// What is to be done instead.
    pub fn may_be_acknowledged(&self) -> Result<(), String> {
        match &self.step {
            _ if self.kind == Kind::OpenCase => {
                Err("write down how the customer got their money: ResolveCase of the payment service"
                    .to_owned())
            }
            Move::Wait => Err("it is so young that it may settle by itself; run this again".to_owned()),
            Move::Note { saga, .. } => {
                Err(format!("its saga {saga} has not ended and may still settle it; see to that first"))
            }
            Move::Repair { .. } | Move::Person(_) => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use backstitch_proto::money::Currency;

    use super::*;

    fn finding() -> Finding {
        Finding {
            kind: Kind::RefundUnknownHere,
            amount: Money::new(400, Currency::parse("GBP").unwrap()),
            about: About { object: "pi_1".into(), refund: "re_1".into(), ..About::default() },
            sums: "object 1000 GBP 1000 1000 400 Captured".into(),
            step: Move::Person(Because::Judgement),
            what: "The provider refunded 4.00 GBP as re_1.".into(),
        }
    }

    #[test]
    fn a_record_is_what_the_orchestrator_takes() {
        let of = |what: String| Finding { what, ..finding() }.record();
        let empty = of(String::new()).len();
        assert_eq!(of("é".repeat(TEXT - empty)).chars().count(), TEXT);
        assert_eq!(of("é".repeat(TEXT - empty + 1)).chars().count(), TEXT);
        assert_eq!(of("a\nb\u{7f}".to_owned()), "reconcile found refund_unknown_here: ab");
    }

    #[test]
    fn an_id_is_of_all_that_is_judged_and_of_nothing_else() {
        type Edit = fn(&mut Finding);
        let edits: [Edit; 9] = [
            |f| f.kind = Kind::KeptDiffers,
            |f| f.amount.minor += 1,
            |f| f.amount.currency = Currency::parse("EUR").unwrap(),
            |f| f.about.saga = "s".into(),
            |f| f.about.order = "o".into(),
            |f| f.about.payment = "p".into(),
            |f| f.about.object = "pi_2".into(),
            |f| f.about.refund = "re_2".into(),
            |f| f.sums = "object 1000 GBP 1000 1000 401 Captured".into(),
        ];
        for (n, edit) in edits.into_iter().enumerate() {
            let mut other = finding();
            edit(&mut other);
            assert_ne!(other.id(), finding().id(), "{n}");
        }
        let reworded = Finding { step: Move::Wait, what: "4.00 GBP went back as re_1.".into(), ..finding() };
        assert_eq!(reworded.id(), finding().id());
    }

    #[test]
    fn an_id_is_the_same_in_every_release() {
        assert_eq!(finding().id().to_string(), "0a7a521b-39cb-806b-9ddf-386e2aab58db");
    }

    #[test]
    fn what_settles_otherwise_is_not_acknowledged_and_is_said_to() {
        let may = |kind, step| Finding { kind, step, ..finding() }.may_be_acknowledged();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::OpenCase) {
            assert_eq!(may(kind, Move::Person(Because::Judgement)), Ok(()), "{kind:?}");
            assert_eq!(may(kind, Move::Repair { state: "captured" }), Ok(()), "{kind:?}");
        }
        for (kind, step, instead) in [
            (Kind::OpenCase, Move::Person(Because::Judgement), "ResolveCase"),
            (Kind::OpenCase, Move::Wait, "ResolveCase"),
            (Kind::KeptDiffers, Move::Wait, "run this again"),
            (
                Kind::KeptDiffers,
                Move::Note { saga: "s9".into(), is_parked: true },
                "its saga s9 has not ended",
            ),
        ] {
            let refused = may(kind, step.clone()).unwrap_err();
            assert!(refused.contains(instead), "{step:?}: {refused}");
        }
    }
}
