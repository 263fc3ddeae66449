//! The table: what came back from Stripe, and what may be concluded from it.
//!
//! Pure. The two columns that matter are whether the call may have had an effect and whether it may be made again; where
//! that is not certain it is [`GatewayError::Unknown`], and the object is read. What Stripe's messages say is not passed
//! on: they repeat what was sent, and a token could be a card number.

use std::time::Duration;

use serde::Deserialize;

use super::declines;
use crate::gateway::{Busy, Decline, DeclineReason, GatewayError};

/// Codes of amounts that the object, the account or Stripe itself does not allow.
const AMOUNT_CODES: [&str; 7] = [
    "amount_too_large",
    "amount_too_small",
    "charge_already_refunded",
    "charge_exceeds_source_limit",
    "charge_exceeds_transaction_limit",
    "currency_not_supported",
    "invalid_charge_amount",
];

/// Codes of objects whose state does not allow the call.
const STATE_CODES: [&str; 4] = [
    "payment_intent_unexpected_state",
    "intent_invalid_state",
    "charge_already_captured",
    "charge_not_captured",
];

/// Codes of holds that have run out.
const EXPIRED_CODES: [&str; 2] = ["capture_charge_authorization_expired", "charge_expired_for_capture"];

/// Codes of refunds that Stripe does not make.
const REFUND_CODES: [&str; 4] =
    ["balance_insufficient", "insufficient_funds", "charge_disputed", "refund_disputed_payment"];

/// Whether the key is used up by trouble of Stripe's own, which is all that it will be answered.
pub(super) fn is_spent(failed: &Failed) -> bool {
    matches!(failed, Failed::Said(answer) if answer.replayed && answer.status >= 500)
}

/// Whether Stripe itself says that it has no such object. Of a proxy's 404 nothing is known.
pub(super) fn is_absent(failed: &Failed) -> bool {
    let said = |answer: &Answer| answer.error.as_ref().and_then(|error| error.code.clone());
    matches!(failed, Failed::Said(answer) if answer.status == 404 && said(answer).as_deref() == Some("resource_missing"))
}

/// What was asked: the same answer to another question means something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A payment intent.
    Create,
    /// The hold.
    Confirm,
    /// The money.
    Capture,
    /// The end.
    Cancel,
    /// Money back.
    Refund,
    /// How something stands.
    Read,
}

/// A call that brought no object, told as what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// No connection was made: nothing was sent.
    NotSent(String),
    /// Something was sent, and no whole answer came.
    NoAnswer(String),
    /// An answer that is no success.
    Said(Box<Answer>),
    /// A success whose content is not what was asked for.
    Unreadable(String),
}

/// An answer that is no success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What Stripe said, if it was Stripe.
    pub(super) error: Option<Said>,
    /// When it wants to be asked again.
    pub(super) retry_after: Option<Duration>,
    /// Which of its limits was met.
    pub(super) limit: Option<String>,
    /// It was given before under this key, and will be for as long as Stripe keeps the key.
    pub(super) replayed: bool,
    /// Stripe's name for the call, to look it up there.
    pub(super) request: Option<String>,
}

/// An error as Stripe writes it; what is decided on, and no more, so that nothing else in it can hide it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Said {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) decline_code: Option<String>,
    #[serde(default)]
    pub(super) param: Option<String>,
    #[serde(default)]
    pub(super) payment_intent: Option<Intent>,
}

/// What is of interest of the intent that comes with an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Intent {
    #[serde(default)]
    pub(super) cancellation_reason: Option<String>,
}

/// The table.
pub(super) fn outcome(ask: Ask, failed: &Failed) -> GatewayError {
    match failed {
        Failed::NotSent(why) => GatewayError::unavailable(format!("Stripe was not reached: {why}")),
        Failed::NoAnswer(why) => GatewayError::Unknown(why.clone()),
        Failed::Unreadable(why) => GatewayError::Broken(why.clone()),
        Failed::Said(answer) => said(ask, answer),
    }
}

fn said(ask: Ask, answer: &Answer) -> GatewayError {
    let status = answer.status;
    if (300..400).contains(&status) {
        // Nothing was executed, and following it would send the key and the call to somebody else.
        return GatewayError::Broken(format!("HTTP {status}: --stripe-url leads elsewhere"));
    }
    let Some(error) = &answer.error else {
        // A proxy's word, which may follow a real effect.
        return GatewayError::Unknown(format!("HTTP {status}, and not from Stripe"));
    };
    let what = told(answer, error);
    let kind = error.kind.as_str();
    match status {
        401 => GatewayError::Broken(format!("Stripe refuses the key of --stripe-key-file ({what})")),
        403 => GatewayError::Broken(format!("the key of --stripe-key-file may not do this ({what})")),
        // Another call with this key is under way, perhaps one of ours whose answer was lost.
        409 => GatewayError::Unknown(format!("another call with this key is under way ({what})")),
        429 => GatewayError::Unavailable {
            why: format!("Stripe takes no more calls just now ({what})"),
            busy: answer.retry_after.map(|after| {
                if is_of_one_object(answer, error) { Busy::Object(after) } else { Busy::Account(after) }
            }),
        },
        _ if kind == "idempotency_error" => {
            GatewayError::Broken(format!("the key was used for another call ({what})"))
        }
        402 => GatewayError::Refused(declined(ask, error)),
        400 | 404 => refused(ask, error).map_or_else(
            || GatewayError::Broken(format!("Stripe does not take the call ({what})")),
            GatewayError::Refused,
        ),
        _ => GatewayError::Unknown(format!("Stripe is in trouble ({what})")),
    }
}

/// Whether a 429 is about the object alone: another call has its lock, or it has a limit of its own. Every other limit
/// counts the calls of the account; one of a single kind of call is taken for one of all, because they count together too.
fn is_of_one_object(answer: &Answer, error: &Said) -> bool {
    error.code.as_deref() == Some("lock_timeout") || answer.limit.as_deref() == Some("resource-specific")
}

/// Which call it was and what Stripe said, without a word of what was sent.
fn told(answer: &Answer, error: &Said) -> String {
    let mut told = format!("HTTP {} {}", answer.status, error.kind);
    for (name, value) in [("code", &error.code), ("param", &error.param), ("request", &answer.request)] {
        if let Some(value) = value {
            told.push_str(&format!(", {name} {value}"));
        }
    }
    told
}

/// A card's no.
fn declined(ask: Ask, error: &Said) -> Decline {
    let decline = declines::decline(error.code.as_deref(), error.decline_code.as_deref());
    let reason = match ask {
        Ask::Capture => DeclineReason::CaptureDeclined,
        Ask::Refund => DeclineReason::RefundDeclined,
        Ask::Create | Ask::Confirm | Ask::Cancel | Ask::Read => decline.reason,
    };
    Decline { reason, ..decline }
}

/// What a request that Stripe does not execute was refused for; none if it is our mistake.
fn refused(ask: Ask, error: &Said) -> Option<Decline> {
    use DeclineReason::{AmountNotAllowed, Expired, RefundDeclined, UnknownPaymentMethod, WrongState};

    let code = error.code.as_deref().unwrap_or_default();
    let param = error.param.as_deref().unwrap_or_default();
    let ended = error.payment_intent.as_ref().and_then(|intent| intent.cancellation_reason.as_deref());
    let reason = match (ask, code) {
        (Ask::Read, _) => return None,
        (Ask::Capture, _) if EXPIRED_CODES.contains(&code) => Expired,
        // Ended by Stripe itself, which is what happens to a hold that has run out.
        (Ask::Capture, _)
            if STATE_CODES.contains(&code) && matches!(ended, Some("automatic" | "expired")) =>
        {
            Expired
        }
        (_, _) if STATE_CODES.contains(&code) => WrongState,
        (Ask::Refund, _) if REFUND_CODES.contains(&code) => RefundDeclined,
        (Ask::Create | Ask::Capture | Ask::Refund, _) if AMOUNT_CODES.contains(&code) => AmountNotAllowed,
        (Ask::Create, _) if param == "amount" || param == "currency" => AmountNotAllowed,
        (Ask::Capture, _) if param == "amount_to_capture" => AmountNotAllowed,
        (Ask::Refund, _) if param == "amount" => AmountNotAllowed,
        (Ask::Confirm, "payment_intent_authentication_failure") => {
            return Some(declines::decline(Some(code), None));
        }
        // Unknown, of another account, used up, of a kind that cannot be held: all the customer's to change.
        (Ask::Confirm, _) if param == "payment_method" => UnknownPaymentMethod,
        (Ask::Confirm, "payment_method_currency_mismatch" | "payment_method_not_available") => {
            DeclineReason::CardDeclined
        }
        _ => return None,
    };
    Some(Decline::new(reason, if code.is_empty() { param } else { code }))
}

#[cfg(test)]
mod tests;
