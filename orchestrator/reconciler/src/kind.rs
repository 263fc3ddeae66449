//! What can be wrong between the ledger, the provider and the orders: the table of kinds.

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The provider holds money for an object that no payment here has.
    OrphanHold,
    /// The provider took money on an object that no payment here has.
    OrphanCapture,
    /// A second object took money for one checkout.
    CapturedTwice,
    /// The provider holds money, or may still, for a saga that has ended or a payment that has.
    HoldLeftOver,
    /// A hold will run out, and is not captured.
    HoldEndsSoon,
    /// The ledger counts on a hold that the provider does not have.
    HoldGone,
    /// The provider took money, and the ledger does not know.
    MissedCapture,
    /// The ledger says that money was taken, and the provider does not.
    CaptureNotAtProvider,
    /// Both took money, but not the same.
    CapturedAmountDiffers,
    /// The provider gave money back, and the ledger does not know.
    RefundUnknownHere,
    /// The ledger says that money went back, and at the provider it did not.
    RefundNotAtProvider,
    /// More went back than was taken.
    RefundedMoreThanCaptured,
    /// An order stands and nobody paid for it.
    OrderWithoutMoney,
    /// Money is kept and no order stands on it.
    MoneyWithoutOrder,
    /// What is kept is not what the order is worth.
    KeptDiffers,
    /// A refund failed after it had been reported as done, and nobody has said how the customer got their money.
    OpenCase,
    /// The cardholder wants back from the bank what is kept, and the provider may have paid it out of the account.
    Disputed,
    /// The ledger has an object's id that the provider does not know.
    ObjectUnknown,
    /// One object is attached to two payments, or to another payment than it was made for.
    ObjectShared,
    /// The object, or the order, is of another amount or currency than the payment.
    AmountDiffers,
}

/// What can put a kind right, where its saga has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A repair saga cancels the hold, if nobody can still need it.
    Cancel,
    /// A repair saga refunds what was taken, if nobody can still need it.
    Refund,
    /// Only somebody who knows more than the books do.
    Person,
}

impl Kind {
    /// All of them, in the order of a report.
    pub const ALL: [Kind; 20] = [
        Kind::OrphanHold,
        Kind::OrphanCapture,
        Kind::CapturedTwice,
        Kind::HoldLeftOver,
        Kind::HoldEndsSoon,
        Kind::HoldGone,
        Kind::MissedCapture,
        Kind::CaptureNotAtProvider,
        Kind::CapturedAmountDiffers,
        Kind::RefundUnknownHere,
        Kind::RefundNotAtProvider,
        Kind::RefundedMoreThanCaptured,
        Kind::OrderWithoutMoney,
        Kind::MoneyWithoutOrder,
        Kind::KeptDiffers,
        Kind::OpenCase,
        Kind::Disputed,
        Kind::ObjectUnknown,
        Kind::ObjectShared,
        Kind::AmountDiffers,
    ];

    /// For reports, metrics and people.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// What can put it right, where its saga has ended.
    pub fn remedy(self) -> Remedy {
        self.row().1
    }

    /// What a person does about it, where nothing else can be done.
    pub fn by_hand(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, Remedy, &'static str) {
        use Remedy::{Cancel, Person, Refund};
        match self {
            Kind::OrphanHold => (
                "orphan_hold",
                Cancel,
                "Find out who made it; if nobody needs it, cancel it at the provider.",
            ),
            Kind::OrphanCapture => {
                ("orphan_capture", Refund, "Find out whose money it is, and refund it at the provider.")
            }
            Kind::CapturedTwice => {
                ("captured_twice", Refund, "Refund the object that the order does not name, at the provider.")
            }
            Kind::HoldLeftOver => ("hold_left_over", Cancel, "Cancel it at the provider."),
            Kind::HoldEndsSoon => {
                ("hold_ends_soon", Person, "Resume or cancel its checkout before the hold runs out.")
            }
            Kind::HoldGone => {
                ("hold_gone", Person, "Its capture will be refused. Cancel its checkout if it has not ended.")
            }
            Kind::MissedCapture => (
                "missed_capture",
                Person,
                "Have the provider send its events again; see whether webhooks arrive at all.",
            ),
            Kind::CaptureNotAtProvider => (
                "capture_not_at_provider",
                Person,
                "Check the account and its key first; then ask the provider, and capture there if it still holds.",
            ),
            Kind::CapturedAmountDiffers => (
                "captured_amount_differs",
                Person,
                "Find out at the provider who captured it, and refund or charge the difference.",
            ),
            Kind::RefundUnknownHere => (
                "refund_unknown_here",
                Person,
                "Somebody refunded it at the provider: write that down with the order, and start no return for it.",
            ),
            Kind::RefundNotAtProvider => (
                "refund_not_at_provider",
                Person,
                "The customer waits for this money: refund it at the provider, or pay it in another way.",
            ),
            Kind::RefundedMoreThanCaptured => (
                "refunded_more_than_captured",
                Person,
                "Ask the provider; stop whoever refunds there by hand.",
            ),
            Kind::OrderWithoutMoney => (
                "order_without_money",
                Person,
                "Stop its parcel; ask the customer to pay again, or take the order back.",
            ),
            Kind::MoneyWithoutOrder => (
                "money_without_order",
                Refund,
                "Find out what the customer was told: deliver what they bought, or refund them.",
            ),
            Kind::KeptDiffers => (
                "kept_differs",
                Person,
                "Compare the order and its returns with the provider's refunds, and settle the difference.",
            ),
            Kind::OpenCase => (
                "open_case",
                Person,
                "Pay the customer in another way, and write down how: ResolveCase of the payment service.",
            ),
            Kind::Disputed => (
                "disputed",
                Person,
                "Answer the dispute at the provider in time; stop what has not been delivered yet.",
            ),
            Kind::ObjectUnknown => (
                "object_unknown",
                Person,
                "Check that the payment service uses the account and mode (live, test) that it used then.",
            ),
            Kind::ObjectShared => (
                "object_shared",
                Person,
                "One customer paid for another: find out which payment is the object's, and charge the other.",
            ),
            Kind::AmountDiffers => (
                "amount_differs",
                Person,
                "Find out at the provider who changed it, and refund or charge the difference.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(Kind::ALL.is_sorted(), "a report is sorted by kind");
        for kind in Kind::ALL {
            assert!(kind.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{kind:?}");
            assert!(kind.by_hand().ends_with('.') && kind.by_hand().len() < 120, "{kind:?}");
        }
    }
}
