//! The words in which the bank decides about a call: states, lines to book, yes or no, and when the answer leaves.

use serde::{Deserialize, Serialize};

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Holds nothing.
    Created,
    /// Waits for the customer.
    Challenged,
    /// The amount is held.
    Authorized,
    /// Money was taken.
    Captured,
    /// Ended without money.
    Voided,
    /// Declined; ended without money.
    Refused,
}

impl State {
    /// The word in the ledger.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Challenged => "challenged",
            State::Authorized => "authorized",
            State::Captured => "captured",
            State::Voided => "voided",
            State::Refused => "refused",
        }
    }

    /// The state behind a word of the ledger.
    pub(super) fn of(word: &str) -> Option<Self> {
        use State::{Authorized, Captured, Challenged, Created, Refused, Voided};
        [Created, Challenged, Authorized, Captured, Voided, Refused].into_iter().find(|s| s.as_str() == word)
    }
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundState {
    /// Accepted, not decided.
    Pending,
    /// The money went back.
    Succeeded,
    /// The money is here.
    Failed,
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decline {
    /// Which kind of no.
    pub(crate) reason: Reason,
    /// In the bank's jargon.
    pub(crate) code: String,
}

impl Decline {
    /// A no in these words.
    pub(super) fn new(reason: Reason, code: &str) -> Self {
        Self { reason, code: code.to_owned() }
    }
}

/// The kinds of no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The issuer declined.
    CardDeclined,
    /// The account is empty.
    InsufficientFunds,
    /// The customer did not prove to be the holder.
    AuthenticationFailed,
    /// No card has this token.
    UnknownPaymentMethod,
    /// The capture was declined; the hold is there.
    CaptureDeclined,
    /// The hold has run out.
    Expired,
    /// Not within what the account allows.
    AmountNotAllowed,
    /// Not as the account stands.
    WrongState,
}

/// What is booked: the lines of the bank's statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The object exists; no money.
    Created,
    /// A hold.
    Authorized,
    /// Money taken from the hold.
    Captured,
    /// The object ended; the amount is what it had held.
    Voided,
    /// Money given back, or about to be.
    Refunded,
    /// A refund failed: its money is here again.
    RefundFailed,
}

impl Kind {
    /// The word in the ledger.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Created => "created",
            Kind::Authorized => "authorized",
            Kind::Captured => "captured",
            Kind::Voided => "voided",
            Kind::Refunded => "refunded",
            Kind::RefundFailed => "refund_failed",
        }
    }
}

/// A line to book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Which line.
    pub(super) kind: Kind,
    /// Minor units, not negative.
    pub(super) amount_minor: i64,
}

/// When the answer leaves the bank, counted from the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// At once.
    Prompt,
    /// Seconds later.
    Late,
    /// Never.
    Lost,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It did what was asked (or it was so already): the object tells.
    Yes,
    /// No.
    No(Decline),
    /// Not now; nothing but a counter changed, and the key is not used up.
    Unavailable(&'static str),
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    /// Yes or no.
    pub(super) said: Said,
    /// To append.
    pub(super) entries: Vec<Entry>,
    /// When the caller hears of it.
    pub(super) delivery: Delivery,
}

impl Ruling {
    /// Yes, with these lines to book.
    pub(super) fn yes(entries: Vec<Entry>) -> Self {
        Self { said: Said::Yes, entries, delivery: Delivery::Prompt }
    }

    /// No, for this reason; nothing is booked.
    pub(super) fn no(reason: Reason, code: &str) -> Self {
        Self { said: Said::No(Decline::new(reason, code)), entries: Vec::new(), delivery: Delivery::Prompt }
    }

    /// The same, heard of at another time.
    pub(super) fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }
}
