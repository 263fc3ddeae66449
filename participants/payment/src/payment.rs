//! One payment as we know it: the words of the ledger. Knows no database and no gateway's calls.

use backstitch_proto::money::Money;
use uuid::Uuid;

use crate::gateway::ProviderId;

/// Where a payment stands. `Captured`, `Voided` and `Refused` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    /// The hold is being asked for.
    Authorizing,
    /// The provider waits for the customer.
    Waiting,
    /// The amount is held.
    Authorized,
    /// The capture is being asked for; no void may be.
    Capturing,
    /// Money was taken. Refunds do not change this.
    Captured,
    /// The end is being asked for; no capture may be.
    Voiding,
    /// Ended without money.
    Voided,
    /// Declined; ended without money.
    Refused,
}

impl Status {
    pub(crate) const ALL: [Status; 8] = [
        Status::Authorizing,
        Status::Waiting,
        Status::Authorized,
        Status::Capturing,
        Status::Captured,
        Status::Voiding,
        Status::Voided,
        Status::Refused,
    ];

    /// Whether nothing but refunds can follow.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Status::Captured | Status::Voided | Status::Refused)
    }

    /// The word in the ledger and in documents.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Authorizing => "authorizing",
            Status::Waiting => "waiting",
            Status::Authorized => "authorized",
            Status::Capturing => "capturing",
            Status::Captured => "captured",
            Status::Voiding => "voiding",
            Status::Voided => "voided",
            Status::Refused => "refused",
        }
    }

    /// The status behind a word of the ledger.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// What happened to money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Authorized,
    Captured,
    /// What a capture of a part let go.
    Released,
    Voided,
    Refunded,
    /// A refund that had been done has failed.
    Reversed,
}

impl Kind {
    /// The word in the ledger and of the event.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Authorized => "authorized",
            Kind::Captured => "captured",
            Kind::Released => "released",
            Kind::Voided => "voided",
            Kind::Refunded => "refunded",
            Kind::Reversed => "reversed",
        }
    }
}

/// A payment as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) id: Uuid,
    /// Who authorized it, under which step.
    pub(crate) saga: Uuid,
    pub(crate) step: String,
    pub(crate) root: Uuid,
    pub(crate) order_id: String,
    pub(crate) amount: Money,
    pub(crate) provider: String,
    pub(crate) status: Status,
    /// None until the provider's object is known and may be confirmed.
    pub(crate) provider_id: Option<ProviderId>,
    pub(crate) capture_before_ms: i64,
    pub(crate) authorized_minor: i64,
    pub(crate) captured_minor: i64,
    pub(crate) voided_minor: i64,
    /// Less what was reversed.
    pub(crate) refunded_minor: i64,
    pub(crate) released_minor: i64,
    pub(crate) created_at_ms: i64,
    /// When the status was entered, the provider's id stored, or a call begun once more, Unix milliseconds.
    pub(crate) updated_at_ms: i64,
}
