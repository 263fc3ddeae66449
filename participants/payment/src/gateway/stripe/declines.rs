//! Why a card said no, in our words.

use crate::gateway::{Decline, DeclineReason};

/// Told to nobody whom the customer may ask: who presents such a card should not learn that it is known.
const SECRET: [&str; 6] =
    ["fraudulent", "lost_card", "stolen_card", "pickup_card", "merchant_blacklist", "security_violation"];

/// What is said in place of those.
const GENERIC: &str = "generic_decline";

/// The decline behind Stripe's two words for it: the error's `code`, and the issuer's `decline_code`.
pub(super) fn decline(code: Option<&str>, decline_code: Option<&str>) -> Decline {
    let word = decline_code.or(code).unwrap_or(GENERIC);
    let reason = match word {
        "insufficient_funds" => DeclineReason::InsufficientFunds,
        "authentication_required"
        | "authentication_not_handled"
        | "card_authentication_failed"
        | "mobile_device_authentication_required"
        | "payment_intent_authentication_failure" => DeclineReason::AuthenticationFailed,
        _ => DeclineReason::CardDeclined,
    };
    Decline::new(reason, if SECRET.contains(&word) { GENERIC } else { word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decline_keeps_the_issuer_s_word() {
        use DeclineReason::{AuthenticationFailed, CardDeclined, InsufficientFunds};
        for (code, decline_code, reason, word) in [
            (Some("card_declined"), Some("generic_decline"), CardDeclined, "generic_decline"),
            (Some("card_declined"), Some("insufficient_funds"), InsufficientFunds, "insufficient_funds"),
            (Some("expired_card"), None, CardDeclined, "expired_card"),
            (Some("incorrect_cvc"), Some("incorrect_cvc"), CardDeclined, "incorrect_cvc"),
            (Some("processing_error"), None, CardDeclined, "processing_error"),
            (
                Some("authentication_required"),
                Some("authentication_required"),
                AuthenticationFailed,
                "authentication_required",
            ),
            (
                Some("payment_intent_authentication_failure"),
                None,
                AuthenticationFailed,
                "payment_intent_authentication_failure",
            ),
            (Some("card_declined"), Some("a_word_of_tomorrow"), CardDeclined, "a_word_of_tomorrow"),
            (None, None, CardDeclined, "generic_decline"),
        ] {
            assert_eq!(decline(code, decline_code), Decline::new(reason, word), "{code:?} {decline_code:?}");
        }
    }

    #[test]
    fn a_card_that_is_known_to_be_stolen_is_declined_like_any_other() {
        for word in SECRET {
            assert_eq!(
                decline(Some("card_declined"), Some(word)),
                Decline::new(DeclineReason::CardDeclined, GENERIC)
            );
        }
    }
}
