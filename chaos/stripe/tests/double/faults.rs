//! What goes wrong on purpose, and what it leaves.

use backstitch_services::Service as _;
use backstitch_stripe_double::{Fault, Kind, Moved, Operation, Storm};

use crate::shop::{Answer, Shop};

/// What came of two captures of a hold with one key, the first of which met `kind`; and how often money moved.
async fn two_captures(shop: &Shop, kind: Kind) -> (Option<Answer>, Answer, usize) {
    let id = shop.held("700", "pm_card_visa").await;
    shop.control().fault(Fault::next(Operation::CaptureIntent, kind)).await;
    let path = format!("/v1/payment_intents/{id}/capture");
    let key = format!("capture-{id}");
    let first = shop.post_as(&key, &path, &[]).await;
    let moved = shop.control().statement().await;
    let moved = moved.accounts.iter().find(|account| account.intent == id).unwrap();
    let captures = moved.movements.iter().filter(|m| m.what == Moved::Captured).count();
    let second = shop.post_as(&key, &path, &[]).await.unwrap();
    (first, second, captures)
}

#[tokio::test]
async fn each_fault_leaves_what_it_says() {
    let shop = Shop::open().await;
    let (first, second, captured) = two_captures(&shop, Kind::ReplyLost).await;
    assert!(first.is_none() && captured == 1 && second.replayed && second.is("succeeded"));
    let (first, second, captured) = two_captures(&shop, Kind::Reset).await;
    assert!(first.is_none() && captured == 0 && !second.replayed && second.is("succeeded"));
    let (first, second, captured) = two_captures(&shop, Kind::ErrorExecuted).await;
    assert!(first.unwrap().status == 500 && captured == 1 && second.replayed && second.status == 500);
    let (first, second, captured) = two_captures(&shop, Kind::ErrorStored).await;
    assert!(first.unwrap().status == 500 && captured == 0 && second.replayed && second.status == 500);
    let (first, second, captured) = two_captures(&shop, Kind::ErrorUnexecuted).await;
    assert!(first.unwrap().status == 500 && captured == 0 && !second.replayed && second.is("succeeded"));
    let (first, second, captured) = two_captures(&shop, Kind::RateLimited(3)).await;
    let first = first.unwrap();
    assert_eq!((first.refused(), first.retry_after.as_deref()), ((429, "rate_limit"), Some("3")));
    assert!(captured == 0 && second.is("succeeded"));
    let (first, second, captured) = two_captures(&shop, Kind::KeyInUse).await;
    assert_eq!(first.unwrap().refused(), (409, "idempotency_key_in_use"));
    assert!(captured == 0 && second.is("succeeded"));
    let (first, second, captured) = two_captures(&shop, Kind::Late(10)).await;
    assert!(first.unwrap().is("succeeded") && captured == 1 && second.replayed);
    assert_eq!(shop.control().statement().await.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_somebody_else_captures_first_is_not_cancelled_any_more() {
    let shop = Shop::open().await;
    for card in ["pm_card_visa", "pm_card_captureDeclined"] {
        let id = shop.held("700", card).await;
        shop.control().fault(Fault::next(Operation::CancelIntent, Kind::Overtaken)).await;
        let cancel = format!("/v1/payment_intents/{id}/cancel");
        let refused = shop.post_as(&format!("cancel-{id}"), &cancel, &[]).await.unwrap();
        assert_eq!(refused.refused(), (400, "payment_intent_unexpected_state"), "{card}");
        assert!(shop.get(&format!("/v1/payment_intents/{id}")).await.is("succeeded"), "{card}");
        let statement = shop.control().statement().await;
        let account = statement.accounts.iter().find(|account| account.intent == id).unwrap();
        assert_eq!((account.kept(), account.on_hold()), (700, 0), "{account:?}");
    }
    // A part of it.
    let id = shop.held("700", "pm_card_visa").await;
    shop.control().fault(Fault::next(Operation::CaptureIntent, Kind::OvertakenInPart(300))).await;
    let refused = shop.post_as("late", &format!("/v1/payment_intents/{id}/capture"), &[]).await.unwrap();
    assert_eq!(refused.refused(), (400, "payment_intent_unexpected_state"));
    let statement = shop.control().statement().await;
    let account = statement.accounts.iter().find(|account| account.intent == id).unwrap();
    assert_eq!((account.kept(), account.on_hold()), (300, 0), "{account:?}");
    // Nothing is there to be taken, and the call goes on.
    let id = shop.held("700", "pm_card_visa").await;
    let cancel = format!("/v1/payment_intents/{id}/cancel");
    assert!(shop.post_as("first", &cancel, &[]).await.unwrap().is("canceled"));
    shop.control().fault(Fault::next(Operation::CancelIntent, Kind::Overtaken)).await;
    let refused = shop.post_as("second", &cancel, &[]).await.unwrap();
    assert_eq!(refused.refused(), (400, "payment_intent_unexpected_state"));
    assert_eq!(shop.control().statement().await.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_storm_passes_when_it_is_told_to() {
    let shop = Shop::open().await;
    shop.control().storm(Storm { seed: 1, percent: 100, kinds: vec![Kind::ErrorUnexecuted] }).await;
    assert_eq!(shop.get("/v1/payment_intents").await.status, 500);
    shop.control().calm().await;
    assert_eq!(shop.get("/v1/payment_intents").await.status, 200);
    let calls = shop.control().calls().await;
    assert_eq!(calls.iter().map(|call| call.status).collect::<Vec<_>>(), [500, 200]);
}

#[tokio::test]
async fn while_localstripe_is_away_nothing_moves_and_no_key_remembers_it() {
    let shop = Shop::open_apart().await;
    let id = shop.held("700", "pm_card_visa").await;
    shop.stripe.localstripe().kill();
    let path = format!("/v1/payment_intents/{id}/capture");
    assert_eq!(shop.post_as("capture-1", &path, &[]).await.unwrap().status, 500);
    shop.stripe.localstripe().start_again();
    assert!(shop.post_as("capture-1", &path, &[]).await.unwrap().is("succeeded"));
}
