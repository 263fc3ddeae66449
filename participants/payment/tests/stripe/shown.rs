//! What is understood of Stripe's objects.

use participant_payment::gateway::{
    CustomerAction, Decline, DeclineReason, GatewayError, PaymentGateway as _, ProviderPayment,
    ProviderState, RefundState,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calls::{card, id, money, new};
use crate::objects::{CREATED, INTENT, cancelled, captured, charge, held, intent, no, refund};
use crate::server::{Reply, Scripted};

async fn shown(object: Value) -> Result<ProviderPayment, GatewayError> {
    let scripted = Scripted::open(vec![Reply::ok(&object)]).await;
    scripted.stripe.read(&id()).await
}

async fn state(object: Value) -> ProviderState {
    shown(object).await.unwrap().state
}

fn generic() -> Decline {
    Decline::new(DeclineReason::CardDeclined, "generic_decline")
}

#[tokio::test]
async fn each_status_is_shown_as_what_it_means_for_money() {
    let failed = charge(json!({ "status": "failed", "paid": false }));
    let declined =
        json!({ "last_payment_error": no("card_declined", "generic_decline"), "latest_charge": failed });
    let merged = |mut object: Value, over: &Value| {
        object.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        object
    };
    let until = ProviderState::Authorized { capture_before_ms: (CREATED + 600) * 1_000 };
    for (object, state, sums) in [
        (intent(json!({})), ProviderState::Created, (0, 0, 0)),
        (intent(json!({ "status": "requires_confirmation" })), ProviderState::Created, (0, 0, 0)),
        (merged(intent(json!({})), &declined), ProviderState::Declined(generic()), (0, 0, 0)),
        (held(), until, (1_000, 0, 0)),
        (captured(1_000, 0), ProviderState::Captured, (1_000, 1_000, 0)),
        (captured(1_000, 300), ProviderState::Captured, (1_000, 1_000, 300)),
        (cancelled(Value::Null), ProviderState::Cancelled, (0, 0, 0)),
        // What a cancel lets go counts as given back for Stripe.
        (
            cancelled(charge(json!({ "amount_refunded": 1000, "refunded": true }))),
            ProviderState::Cancelled,
            (1_000, 0, 0),
        ),
        (merged(cancelled(Value::Null), &declined), ProviderState::Refused(generic()), (0, 0, 0)),
    ] {
        let seen = shown(object.clone()).await.unwrap();
        assert_eq!(seen.state, state, "{object}");
        assert_eq!((seen.authorized_minor, seen.captured_minor, seen.refunded_minor), sums, "{object}");
        assert_eq!((seen.id, seen.amount), (id(), money(1_000, "GBP")), "{object}");
        assert_eq!(seen.reference, Some(Uuid::from_u128(7)), "{object}");
    }
}

#[tokio::test]
async fn a_capture_of_a_part_shows_what_was_taken_and_what_was_let_go_is_not_a_refund() {
    // Of ten pounds four were taken; Stripe counts the six that it let go as given back.
    let seen = shown(captured(400, 600)).await.unwrap();
    assert_eq!(seen.state, ProviderState::Captured);
    assert_eq!((seen.authorized_minor, seen.captured_minor, seen.refunded_minor), (1_000, 400, 0));
    let seen = shown(captured(400, 750)).await.unwrap();
    assert_eq!((seen.authorized_minor, seen.captured_minor, seen.refunded_minor), (1_000, 400, 150));
}

#[tokio::test]
async fn a_customer_is_redirected_or_given_the_secret_of_the_intent() {
    let redirect = json!({ "type": "redirect_to_url", "redirect_to_url": { "url": "https://bank.example/3ds", "return_url": "https://shop.example" } });
    let sdk = json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect", "any": [1] } });
    for (next, wanted) in [
        (redirect, CustomerAction::Redirect("https://bank.example/3ds".into())),
        (sdk, CustomerAction::ClientSecret(format!("{INTENT}_secret_Xyz").into())),
    ] {
        let object = intent(json!({ "status": "requires_action", "next_action": next }));
        let seen = state(object).await;
        assert!(!format!("{seen:?}").contains("secret_Xyz"), "{seen:?}");
        assert_eq!(seen, ProviderState::CustomerAction(wanted));
    }
}

#[tokio::test]
async fn a_hold_whose_end_stripe_does_not_tell_lasts_seven_days() {
    let mut object = held();
    object["latest_charge"]["payment_method_details"] = Value::Null;
    let week = 7 * 24 * 60 * 60;
    assert_eq!(
        state(object).await,
        ProviderState::Authorized { capture_before_ms: (CREATED + week) * 1_000 }
    );
}

#[tokio::test]
async fn an_object_of_somebody_else_bears_no_id_of_ours() {
    for metadata in
        [json!({}), json!({ "backstitch_payment": "42" }), json!({ "payment_id": Uuid::from_u128(7) })]
    {
        let seen = shown(intent(json!({ "metadata": metadata }))).await.unwrap();
        assert_eq!(seen.reference, None);
    }
}

#[tokio::test]
async fn an_object_that_stripe_still_works_on_is_asked_for_again() {
    let error = shown(intent(json!({ "status": "processing" }))).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unknown(_)), "{error}");
}

#[tokio::test]
async fn an_object_that_makes_no_sense_calls_a_person() {
    for object in [
        intent(json!({ "status": "a_status_of_tomorrow" })),
        intent(json!({ "status": "requires_capture", "amount_capturable": 1000 })),
        intent(json!({ "status": "succeeded", "amount_received": 1000 })),
        intent(json!({ "status": "requires_capture", "latest_charge": "ch_3Abc" })),
        intent(json!({ "status": "requires_action", "client_secret": null })),
        intent(json!({ "currency": "xyz" })),
        intent(json!({ "currency": "isk", "amount": 550 })),
        intent(json!({ "amount": "1000" })),
        json!({ "id": INTENT, "object": "payment_intent" }),
        json!([1, 2]),
    ] {
        let error = shown(object.clone()).await.unwrap_err();
        assert!(matches!(error, GatewayError::Broken(_)), "{object}: {error}");
    }
}

#[tokio::test]
async fn a_declined_card_leaves_the_object_open_and_is_shown_as_declined() {
    let declined = Reply::error(402, no("card_declined", "insufficient_funds"));
    let left = intent(json!({
        "last_payment_error": no("card_declined", "insufficient_funds"),
        "latest_charge": charge(json!({ "status": "failed", "paid": false })),
    }));
    let wanted = Decline::new(DeclineReason::InsufficientFunds, "insufficient_funds");
    // Also where Stripe does not keep the reason on the intent.
    for left in [left, intent(json!({}))] {
        let scripted = Scripted::open(vec![declined.clone(), Reply::ok(&left)]).await;
        let seen = scripted.stripe.confirm("k", &id(), &card()).await.unwrap();
        assert_eq!(seen.state, ProviderState::Declined(wanted.clone()));
        assert!(scripted.is_done());
    }
    // Repeated after it was ended, the key answers as before; the object tells how it stands.
    let scripted = Scripted::open(vec![declined, Reply::ok(&cancelled(Value::Null))]).await;
    let seen = scripted.stripe.confirm("k", &id(), &card()).await.unwrap();
    assert_eq!(seen.state, ProviderState::Cancelled);
}

#[tokio::test]
async fn an_unknown_token_is_refused_without_a_look_at_the_object() {
    let error =
        json!({ "type": "invalid_request_error", "code": "resource_missing", "param": "payment_method" });
    let scripted = Scripted::open(vec![Reply::error(400, error)]).await;
    let refused = scripted.stripe.confirm("k", &id(), &card()).await.unwrap_err();
    let wanted = Decline::new(DeclineReason::UnknownPaymentMethod, "resource_missing");
    assert_eq!(refused, GatewayError::Refused(wanted));
}

#[tokio::test]
async fn an_object_that_has_ended_already_is_shown_so_by_a_cancel_and_one_that_was_captured_refuses_it() {
    let state = json!({ "type": "invalid_request_error", "code": "payment_intent_unexpected_state" });
    let unexpected = || Reply::error(400, state.clone());
    let scripted = Scripted::open(vec![unexpected(), Reply::ok(&cancelled(Value::Null))]).await;
    assert_eq!(scripted.stripe.cancel("k", &id()).await.unwrap().state, ProviderState::Cancelled);
    for open in [captured(1_000, 0), held()] {
        let scripted = Scripted::open(vec![unexpected(), Reply::ok(&open)]).await;
        let error = scripted.stripe.cancel("k", &id()).await.unwrap_err();
        let wanted = Decline::new(DeclineReason::WrongState, "payment_intent_unexpected_state");
        assert_eq!(error, GatewayError::Refused(wanted));
    }
}

#[tokio::test]
async fn each_status_of_a_refund_is_shown_with_why_it_failed() {
    for (over, state, failure) in [
        (json!({}), RefundState::Succeeded, None),
        (json!({ "status": "pending", "pending_reason": "insufficient_funds" }), RefundState::Pending, None),
        (json!({ "status": "requires_action" }), RefundState::Pending, None),
        (
            json!({ "status": "failed", "failure_reason": "expired_or_canceled_card" }),
            RefundState::Failed,
            Some("expired_or_canceled_card"),
        ),
        (json!({ "status": "failed" }), RefundState::Failed, Some("failed")),
        (json!({ "status": "canceled" }), RefundState::Failed, Some("canceled")),
    ] {
        let scripted = Scripted::open(vec![Reply::ok(&refund(over.clone()))]).await;
        let seen = scripted.stripe.refund("k", &id(), Uuid::from_u128(9), money(300, "GBP")).await.unwrap();
        assert_eq!((seen.state, seen.failure.as_deref()), (state, failure), "{over}");
        assert_eq!((seen.reference, seen.amount), (Some(Uuid::from_u128(9)), money(300, "GBP")));
        assert_eq!(seen.id, "re_3Abc");
    }
    for over in
        [json!({ "status": null }), json!({ "status": "a_status_of_tomorrow" }), json!({ "currency": "xyz" })]
    {
        let scripted = Scripted::open(vec![Reply::ok(&refund(over.clone()))]).await;
        let error =
            scripted.stripe.refund("k", &id(), Uuid::from_u128(9), money(300, "GBP")).await.unwrap_err();
        assert!(matches!(error, GatewayError::Broken(_)), "{over}: {error}");
    }
}

#[tokio::test]
async fn another_amount_than_was_asked_for_is_shown_as_it_is() {
    let scripted =
        Scripted::open(vec![Reply::ok(&intent(json!({ "amount": 999, "currency": "eur" })))]).await;
    let seen = scripted.stripe.create("k", &new()).await.unwrap();
    assert_eq!(seen.amount, money(999, "EUR"));
}
