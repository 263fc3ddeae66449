//! A row each: what came back, and what is concluded.

use super::*;
use DeclineReason::{
    AmountNotAllowed, AuthenticationFailed, CaptureDeclined, CardDeclined, Expired, InsufficientFunds,
    RefundDeclined, UnknownPaymentMethod, WrongState,
};

const ALL: [Ask; 6] = [Ask::Create, Ask::Confirm, Ask::Capture, Ask::Cancel, Ask::Refund, Ask::Read];

fn answer(status: u16, error: &str) -> Answer {
    let error = serde_json::from_str(error).unwrap();
    Answer { status, error: Some(error), request: Some("req_1".into()), ..Answer::default() }
}

const SEVEN: Duration = Duration::from_secs(7);

fn busy_by(answer: Answer) -> Option<Busy> {
    match outcome(Ask::Confirm, &Failed::Said(Box::new(answer))) {
        GatewayError::Unavailable { busy, .. } => busy,
        other => panic!("{other:?}"),
    }
}

fn heard(ask: Ask, status: u16, error: &str) -> GatewayError {
    outcome(ask, &Failed::Said(Box::new(answer(status, error))))
}

fn invalid(ask: Ask, code: &str, param: &str) -> GatewayError {
    let error = format!(r#"{{"type": "invalid_request_error", "code": "{code}", "param": "{param}"}}"#);
    heard(ask, 400, &error)
}

fn card(ask: Ask, code: &str, decline_code: &str) -> GatewayError {
    let error = format!(r#"{{"type": "card_error", "code": "{code}", "decline_code": "{decline_code}"}}"#);
    heard(ask, 402, &error)
}

fn refused(reason: DeclineReason, code: &str) -> GatewayError {
    GatewayError::Refused(Decline::new(reason, code))
}

fn broken(error: &GatewayError) -> &str {
    match error {
        GatewayError::Broken(why) => why,
        other => panic!("not broken: {other:?}"),
    }
}

#[test]
fn a_connection_that_was_never_made_sent_nothing() {
    for ask in ALL {
        let error = outcome(ask, &Failed::NotSent("connection refused".into()));
        assert!(matches!(error, GatewayError::Unavailable { busy: None, .. }), "{ask:?}: {error}");
    }
}

#[test]
fn a_connection_that_broke_after_something_was_sent_says_nothing() {
    for ask in ALL {
        let error = outcome(ask, &Failed::NoAnswer("connection reset".into()));
        assert!(matches!(error, GatewayError::Unknown(_)), "{ask:?}: {error}");
    }
}

#[test]
fn a_success_that_cannot_be_read_calls_a_person() {
    for ask in ALL {
        broken(&outcome(ask, &Failed::Unreadable("not what was asked for".into())));
    }
}

#[test]
fn an_error_of_stripe_s_own_says_nothing_also_when_it_is_replayed() {
    for ask in ALL {
        for status in [500, 502, 503, 504, 424] {
            let error =
                heard(ask, status, r#"{"type": "api_error", "message": "An unknown error occurred"}"#);
            assert!(matches!(error, GatewayError::Unknown(_)), "{ask:?} {status}: {error}");
        }
    }
}

#[test]
fn another_call_under_the_same_key_may_have_its_effect_yet() {
    for kind in ["idempotency_error", "invalid_request_error"] {
        let said = format!(r#"{{"type": "{kind}", "code": "idempotency_key_in_use"}}"#);
        let error = heard(Ask::Capture, 409, &said);
        assert!(matches!(error, GatewayError::Unknown(_)), "{error}");
    }
}

#[test]
fn a_key_with_other_parameters_is_our_mistake() {
    let error = heard(Ask::Create, 400, r#"{"type": "idempotency_error", "message": "…"}"#);
    assert!(broken(&error).contains("key was used for another call"), "{error}");
}

#[test]
fn too_many_calls_are_made_again_when_stripe_says() {
    let error = r#"{"type": "invalid_request_error", "code": "rate_limit"}"#;
    for (retry_after, busy) in [(None, None), (Some(SEVEN), Some(Busy::Account(SEVEN)))] {
        assert_eq!(busy_by(Answer { retry_after, ..answer(429, error) }), busy);
    }
}

#[test]
fn the_limit_of_one_object_keeps_nobody_from_the_others() {
    let (rate, lock) = (r#"{"code": "rate_limit"}"#, r#"{"code": "lock_timeout"}"#);
    for (error, limit, busy) in [
        (rate, None, Busy::Account(SEVEN)),
        (rate, Some("global-rate"), Busy::Account(SEVEN)),
        (rate, Some("endpoint-concurrency"), Busy::Account(SEVEN)),
        (rate, Some("a limit of tomorrow"), Busy::Account(SEVEN)),
        (rate, Some("resource-specific"), Busy::Object(SEVEN)),
        (lock, None, Busy::Object(SEVEN)),
    ] {
        let limited =
            Answer { retry_after: Some(SEVEN), limit: limit.map(str::to_owned), ..answer(429, error) };
        assert_eq!(busy_by(limited), Some(busy), "{error} {limit:?}");
    }
}

#[test]
fn a_lock_that_another_call_has_on_the_object_is_waited_for() {
    let error = heard(Ask::Cancel, 429, r#"{"type": "invalid_request_error", "code": "lock_timeout"}"#);
    assert!(matches!(error, GatewayError::Unavailable { .. }), "{error}");
}

#[test]
fn a_card_s_no_to_a_hold_is_refused_with_the_issuer_s_word() {
    for (code, decline_code, reason, word) in [
        ("card_declined", "generic_decline", CardDeclined, "generic_decline"),
        ("card_declined", "insufficient_funds", InsufficientFunds, "insufficient_funds"),
        ("expired_card", "expired_card", CardDeclined, "expired_card"),
        ("incorrect_cvc", "incorrect_cvc", CardDeclined, "incorrect_cvc"),
        ("processing_error", "processing_error", CardDeclined, "processing_error"),
    ] {
        assert_eq!(card(Ask::Confirm, code, decline_code), refused(reason, word), "{code} {decline_code}");
    }
}

#[test]
fn a_stolen_card_is_refused_and_not_told_why() {
    for word in ["lost_card", "stolen_card", "fraudulent", "pickup_card", "merchant_blacklist"] {
        let error = card(Ask::Confirm, "card_declined", word);
        assert_eq!(error, refused(CardDeclined, "generic_decline"), "{word}");
    }
}

#[test]
fn a_bank_that_wants_the_customer_refuses_a_hold_without_one() {
    let error = card(Ask::Confirm, "authentication_required", "authentication_required");
    assert_eq!(error, refused(AuthenticationFailed, "authentication_required"));
}

#[test]
fn a_customer_who_failed_the_challenge_is_refused_by_name() {
    let code = "payment_intent_authentication_failure";
    assert_eq!(invalid(Ask::Confirm, code, ""), refused(AuthenticationFailed, code));
}

#[test]
fn a_card_s_no_to_a_capture_or_a_refund_is_one_of_that() {
    assert_eq!(card(Ask::Capture, "card_declined", "do_not_honor"), refused(CaptureDeclined, "do_not_honor"));
    assert_eq!(card(Ask::Refund, "card_declined", "do_not_honor"), refused(RefundDeclined, "do_not_honor"));
}

#[test]
fn a_token_that_stripe_does_not_know_is_the_customer_s_to_change() {
    let missing = invalid(Ask::Confirm, "resource_missing", "payment_method");
    assert_eq!(missing, refused(UnknownPaymentMethod, "resource_missing"));
    let used_up = heard(Ask::Confirm, 400, r#"{"type": "invalid_request_error", "param": "payment_method"}"#);
    assert_eq!(used_up, refused(UnknownPaymentMethod, "payment_method"));
}

#[test]
fn an_object_in_another_state_refuses_the_call_and_is_read() {
    for ask in [Ask::Confirm, Ask::Capture, Ask::Cancel, Ask::Refund] {
        let code = "payment_intent_unexpected_state";
        assert_eq!(invalid(ask, code, ""), refused(WrongState, code), "{ask:?}");
    }
    let code = "charge_already_captured";
    assert_eq!(invalid(Ask::Capture, code, ""), refused(WrongState, code));
}

#[test]
fn a_hold_that_has_run_out_is_refused_by_name() {
    for code in ["capture_charge_authorization_expired", "charge_expired_for_capture"] {
        assert_eq!(invalid(Ask::Capture, code, ""), refused(Expired, code));
    }
    for (ended, reason) in [
        ("automatic", Expired),
        ("expired", Expired),
        ("requested_by_customer", WrongState),
        ("abandoned", WrongState),
    ] {
        let code = "payment_intent_unexpected_state";
        let said = format!(
            r#"{{"type": "invalid_request_error", "code": "{code}",
                 "payment_intent": {{"id": "pi_1", "status": "canceled", "cancellation_reason": "{ended}"}}}}"#
        );
        assert_eq!(heard(Ask::Capture, 400, &said), refused(reason, code), "{ended}");
    }
}

#[test]
fn an_amount_that_stripe_does_not_take_is_refused_by_name() {
    for (ask, code, param) in [
        (Ask::Create, "amount_too_large", "amount"),
        (Ask::Create, "amount_too_small", "amount"),
        (Ask::Create, "parameter_invalid_integer", "amount"),
        (Ask::Create, "parameter_invalid", "currency"),
        (Ask::Capture, "amount_too_large", "amount_to_capture"),
        (Ask::Refund, "amount_too_large", "amount"),
        (Ask::Refund, "parameter_invalid_integer", "amount"),
    ] {
        assert_eq!(invalid(ask, code, param), refused(AmountNotAllowed, code), "{ask:?} {code}");
    }
    let no_code = heard(Ask::Create, 400, r#"{"type": "invalid_request_error", "param": "currency"}"#);
    assert_eq!(no_code, refused(AmountNotAllowed, "currency"));
}

#[test]
fn a_charge_that_was_given_back_already_refuses_a_refund() {
    let code = "charge_already_refunded";
    assert_eq!(invalid(Ask::Refund, code, ""), refused(AmountNotAllowed, code));
}

#[test]
fn a_refund_that_stripe_does_not_make_is_refused_by_name() {
    for code in ["balance_insufficient", "charge_disputed"] {
        assert_eq!(invalid(Ask::Refund, code, ""), refused(RefundDeclined, code));
    }
}

#[test]
fn an_object_that_is_not_there_is_a_wrong_key_or_a_wrong_id_and_proves_nothing() {
    for ask in ALL {
        let said = r#"{"type": "invalid_request_error", "code": "resource_missing", "param": "intent"}"#;
        assert!(broken(&heard(ask, 404, said)).contains("resource_missing"), "{ask:?}");
    }
}

#[test]
fn a_key_that_stripe_refuses_is_told_by_its_option() {
    for ask in ALL {
        let error = heard(ask, 401, r#"{"type": "invalid_request_error", "message": "Invalid API Key"}"#);
        assert!(broken(&error).contains("--stripe-key-file"), "{error}");
    }
}

#[test]
fn a_key_that_may_not_do_this_is_told_by_its_option() {
    let error =
        heard(Ask::Refund, 403, r#"{"type": "invalid_request_error", "code": "more_permissions_required"}"#);
    assert!(broken(&error).contains("--stripe-key-file") && broken(&error).contains("may not"), "{error}");
}

#[test]
fn a_request_that_makes_no_sense_to_stripe_is_our_mistake() {
    let error = invalid(Ask::Create, "parameter_unknown", "capture_metod");
    assert!(broken(&error).contains("param capture_metod") && broken(&error).contains("req_1"), "{error}");
}

#[test]
fn an_error_that_is_not_stripe_s_says_nothing() {
    for ask in ALL {
        for status in [400, 401, 403, 404, 429, 502] {
            let error = outcome(ask, &Failed::Said(Box::new(Answer { status, ..Answer::default() })));
            assert!(matches!(error, GatewayError::Unknown(_)), "{ask:?} {status}: {error}");
        }
    }
}

#[test]
fn an_answer_that_leads_elsewhere_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let error = outcome(Ask::Create, &Failed::Said(Box::new(Answer { status, ..Answer::default() })));
        assert!(broken(&error).contains("--stripe-url"), "{error}");
    }
}

#[test]
fn a_status_of_tomorrow_says_nothing() {
    for status in [418, 451, 599] {
        let error = heard(Ask::Capture, status, r#"{"type": "api_error"}"#);
        assert!(matches!(error, GatewayError::Unknown(_)), "{status}: {error}");
    }
}

#[test]
fn nothing_that_was_sent_is_repeated_in_an_error() {
    let said = r#"{"type": "invalid_request_error", "code": "resource_missing", "param": "x",
                   "message": "No such PaymentMethod: '4242424242424242'"}"#;
    for ask in ALL {
        for status in [400, 401, 402, 403, 404, 409, 429, 500] {
            let error = heard(ask, status, said);
            assert!(!format!("{error} {error:?}").contains("4242"), "{error}");
        }
    }
}

#[test]
fn what_else_is_in_an_error_does_not_hide_it() {
    let said = r#"{"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "charge": 7,
                   "payment_intent": {"id": null, "nonsense": [{}]}, "payment_method": "no object"}"#;
    assert_eq!(heard(Ask::Confirm, 402, said), refused(CardDeclined, "generic_decline"));
}
