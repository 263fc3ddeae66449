//! Stripe's test cards, by their tokens.

use crate::refusal::Refusal;

/// What a card does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// All goes well.
    Good,
    /// No charge of it goes through.
    Declined(Decline),
    /// The customer has to prove who it is; then all goes well.
    Challenged,
    /// The customer has to prove who it is, and the charge is declined all the same.
    ChallengedAndDeclined(Decline),
    /// It can be charged, and the bank takes the hold back before the capture.
    CaptureFails,
    /// It can be charged, and the capture is declined; the hold stays.
    CaptureDeclined,
    /// A refund succeeds at first and fails later.
    RefundFails,
    /// A refund is pending at first and succeeds later.
    RefundPends,
    /// A refund fails at once, and nothing moves.
    RefundDeclined,
    /// A refund is refused: its charge is disputed.
    Disputed,
}

/// Why a charge is declined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Decline {
    code: &'static str,
    decline_code: Option<&'static str>,
    message: &'static str,
}

impl Decline {
    pub(crate) fn refusal(self) -> Refusal {
        Refusal::card(self.code, self.decline_code, self.message)
    }
}

/// A test card.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) token: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) last4: &'static str,
    pub(crate) fate: Fate,
}

const fn card(token: &'static str, last4: &'static str, fate: Fate) -> Card {
    Card { token, brand: "visa", last4, fate }
}

const fn declined(decline_code: &'static str) -> Decline {
    Decline { code: "card_declined", decline_code: Some(decline_code), message: "Your card was declined." }
}

const NO_FUNDS: Decline =
    Decline { message: "Your card has insufficient funds.", ..declined("insufficient_funds") };
const EXPIRED: Decline =
    Decline { code: "expired_card", decline_code: None, message: "Your card has expired." };
const WRONG_CVC: Decline = Decline {
    code: "incorrect_cvc",
    decline_code: Some("incorrect_cvc"),
    message: "Your card's security code is incorrect.",
};
const PROCESSING: Decline = Decline {
    code: "processing_error",
    decline_code: Some("processing_error"),
    message: "An error occurred while processing your card. Try again in a little bit.",
};
const NOBODY_TO_ASK: Decline = Decline {
    code: "authentication_required",
    decline_code: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};

const CARDS: &[Card] = &[
    card("pm_card_visa", "4242", Fate::Good),
    card("pm_card_visa_debit", "5556", Fate::Good),
    Card { brand: "mastercard", ..card("pm_card_mastercard", "4444", Fate::Good) },
    Card { brand: "amex", ..card("pm_card_amex", "8431", Fate::Good) },
    card("pm_card_chargeDeclined", "0002", Fate::Declined(declined("generic_decline"))),
    card("pm_card_visa_chargeDeclined", "0002", Fate::Declined(declined("generic_decline"))),
    card("pm_card_chargeDeclinedInsufficientFunds", "9995", Fate::Declined(NO_FUNDS)),
    card("pm_card_visa_chargeDeclinedInsufficientFunds", "9995", Fate::Declined(NO_FUNDS)),
    card("pm_card_visa_chargeDeclinedLostCard", "9987", Fate::Declined(declined("lost_card"))),
    card("pm_card_visa_chargeDeclinedStolenCard", "9979", Fate::Declined(declined("stolen_card"))),
    card("pm_card_chargeDeclinedFraudulent", "0019", Fate::Declined(declined("fraudulent"))),
    card("pm_card_chargeDeclinedExpiredCard", "0069", Fate::Declined(EXPIRED)),
    card("pm_card_chargeDeclinedIncorrectCvc", "0127", Fate::Declined(WRONG_CVC)),
    card("pm_card_chargeDeclinedProcessingError", "0119", Fate::Declined(PROCESSING)),
    card("pm_card_chargeCustomerFail", "0341", Fate::Declined(declined("generic_decline"))),
    card("pm_card_threeDSecure2Required", "3220", Fate::Challenged),
    card("pm_card_threeDSecureRequired", "3063", Fate::Challenged),
    card("pm_card_authenticationRequired", "3184", Fate::Challenged),
    card(
        "pm_card_threeDSecureRequiredChargeDeclined",
        "1629",
        Fate::ChallengedAndDeclined(declined("generic_decline")),
    ),
    card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "3178",
        Fate::ChallengedAndDeclined(NO_FUNDS),
    ),
    card("pm_card_refundFail", "5126", Fate::RefundFails),
    card("pm_card_pendingRefund", "7726", Fate::RefundPends),
    card("pm_card_createDispute", "0259", Fate::Disputed),
    // Not of Stripe's: what these do is a bank's own will there, and no card of theirs does it on request.
    card("pm_card_captureFail", "5150", Fate::CaptureFails),
    card("pm_card_captureDeclined", "5151", Fate::CaptureDeclined),
    card("pm_card_refundDeclined", "5152", Fate::RefundDeclined),
    card("pm_card_authenticationDeclined", "5153", Fate::Declined(NOBODY_TO_ASK)),
];

impl Card {
    /// The card of a token.
    pub(crate) fn of(token: &str) -> Option<&'static Self> {
        CARDS.iter().find(|card| card.token == token)
    }

    /// The number under which localstripe does the same to a charge. It knows nothing of what happens after.
    pub(crate) fn number_at_localstripe(&self) -> &'static str {
        match self.fate {
            Fate::Declined(_) => "4000000000000341",
            Fate::Challenged => "4000002760003184",
            Fate::ChallengedAndDeclined(_) => "4000008260003178",
            Fate::Good
            | Fate::CaptureFails
            | Fate::CaptureDeclined
            | Fate::RefundFails
            | Fate::RefundPends
            | Fate::RefundDeclined
            | Fate::Disputed => "4242424242424242",
        }
    }
}
