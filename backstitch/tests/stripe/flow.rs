//! Cards that pay, and cards that do not.

use backstitch_stripe_double::{Fault, Kind, Moved, Operation};

use crate::reconcile::{said, told as found};
use crate::scene::{Scene, Word, is_refused};

#[tokio::test]
async fn a_checkout_is_held_captured_once_and_told_apart_by_its_metadata() {
    let mut scene = Scene::open(Word::None).await;
    let done = scene.check_out("pays", "pm_card_visa").await;
    assert_eq!(done.text("/status"), "completed", "{done:?}");
    let account = scene.account(done.text("/checkout_id")).await;
    let moved: Vec<_> = account.movements.iter().map(|movement| movement.what).collect();
    assert_eq!(moved, [Moved::Held, Moved::Captured]);
    assert_eq!((account.kept(), account.currency.as_str()), (done.int("/total/amount_minor"), "gbp"));
    assert!(account.metadata.values().any(|value| value == done.text("/order_id")), "{account:?}");
    // Every call that changes something has a key of its own.
    let calls = scene.control().calls().await;
    let reads = [Operation::RetrieveIntent, Operation::ListRefunds, Operation::ListIntents];
    let mut keys: Vec<_> =
        calls.iter().filter(|call| !reads.contains(&call.operation)).map(|c| &c.key).collect();
    assert!(keys.iter().all(|key| key.is_some()), "{calls:?}");
    let sent = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), sent, "{calls:?}");
    scene.close().await;
}

#[tokio::test]
async fn a_card_that_is_declined_holds_nothing_and_its_intent_is_ended() {
    let mut scene = Scene::open(Word::None).await;
    let declines = [
        ("pm_card_chargeDeclined", "CARD_DECLINED"),
        ("pm_card_chargeDeclinedInsufficientFunds", "INSUFFICIENT_FUNDS"),
        ("pm_card_chargeDeclinedExpiredCard", "CARD_DECLINED"),
        ("pm_nobody_made", "UNKNOWN_PAYMENT_METHOD"),
    ];
    for (card, _) in declines {
        scene.begin(card, card).await;
    }
    for (card, reason) in declines {
        let id = scene.shop.begin(card, &crate::common::order_of(card, card)).await.ok();
        let told = scene.shop.rested(id.text("/checkout_id")).await;
        is_refused(&told, reason);
        assert_eq!(told.text("/refusal/step"), "authorize_payment", "{told:?}");
        let account = scene.account(told.text("/checkout_id")).await;
        assert_eq!(account.movements, [], "{card}: {reason}");
        let calls = scene.control().calls().await;
        let of_it = calls.iter().filter(|call| call.id == account.intent);
        let ends = of_it.filter(|call| call.operation == Operation::CancelIntent && call.status == 200);
        assert_eq!(ends.count(), 1, "{card}: {calls:?}");
    }
    scene.close().await;
}

#[tokio::test]
async fn a_capture_that_is_declined_turns_the_checkout_back_and_voids_what_is_held() {
    let mut scene = Scene::open(Word::None).await;
    let told = scene.check_out("fails", "pm_card_captureFail").await;
    is_refused(&told, "AUTHORIZATION_EXPIRED");
    assert_eq!(told.text("/refusal/step"), "capture_payment", "{told:?}");
    assert_eq!(scene.account(told.text("/checkout_id")).await.kept(), 0);
    let told = scene.check_out("declined", "pm_card_captureDeclined").await;
    is_refused(&told, "CAPTURE_FAILED");
    let account = scene.account(told.text("/checkout_id")).await;
    assert_eq!((account.sum(Moved::Held), account.sum(Moved::Voided)), (1_395, 1_395));
    assert_eq!(scene.shop.stock("A").await, (100, 0, 0));
    scene.close().await;
}

#[tokio::test]
async fn a_part_that_somebody_captured_turns_the_checkout_back_which_gives_back_exactly_that() {
    let mut scene = Scene::open(Word::Sent).await;
    scene.control().fault(Fault::next(Operation::CaptureIntent, Kind::OvertakenInPart(1_000))).await;
    let told = scene.check_out("part", "pm_card_visa").await;
    is_refused(&told, "AMOUNT_MISMATCH");
    assert_eq!(told.text("/refusal/step"), "capture_payment", "{told:?}");
    let why = told.text("/refusal/detail");
    assert!(why.contains("10.00 GBP") && why.contains("13.95 GBP"), "{why}");
    let account = scene.account(told.text("/checkout_id")).await;
    let moved: Vec<_> = account.movements.iter().map(|movement| (movement.what, movement.amount)).collect();
    let taken = [(Moved::Held, 1_395), (Moved::Captured, 1_000), (Moved::Remainder, 395)];
    assert_eq!(moved, [&taken[..], &[(Moved::Refunded, 1_000)]].concat());
    // All that was asked for: that is what we wanted.
    scene.control().fault(Fault::next(Operation::CaptureIntent, Kind::Overtaken)).await;
    let done = scene.check_out("whole", "pm_card_visa").await;
    assert_eq!(done.text("/status"), "completed", "{done:?}");
    assert_eq!(scene.account(done.text("/checkout_id")).await.kept(), 1_395);
    assert_eq!(scene.shop.stock("A").await, (98, 0, 2));
    let report = said(&scene, &["--grace", "0s"]).await;
    assert_eq!(found(&report), Vec::<String>::new(), "{report:#}");
    scene.close().await;
}

#[tokio::test]
async fn a_checkout_that_is_cancelled_before_the_capture_is_voided() {
    let mut scene = Scene::open(Word::None).await;
    let (id, intent) = scene.challenged("waits").await;
    scene.shop.post(&format!("/api/v1/checkouts/{id}/cancel")).await.ok();
    let told = scene.shop.rested(&id).await;
    is_refused(&told, "CANCELLED");
    // Whoever comes back to the bank's page finds it closed.
    let late = scene.control().customer(&intent, true).await.unwrap_err();
    assert!(late.contains("payment_intent_unexpected_state"), "{late}");
    scene.close().await;
}
