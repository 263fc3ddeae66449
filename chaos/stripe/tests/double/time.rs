//! What time brings: refunds that go on, holds that end.

use std::time::Duration;

use backstitch_stripe_double::Moved;

use crate::shop::Shop;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_pending_refund_succeeds_or_fails_when_told() {
    let shop = Shop::open().await;
    let id = shop.captured("700", "pm_card_pendingRefund").await;
    let (one, two) = (shop.refund(&id, "300").await, shop.refund(&id, "400").await);
    assert!(one.is("pending") && two.is("pending"));
    // On its way it counts: nothing is left to refund.
    assert_eq!(shop.refund(&id, "1").await.refused(), (400, "charge_already_refunded"));
    shop.control().refund(one.id(), true).await.unwrap();
    shop.control().refund(two.id(), false).await.unwrap();
    let status = async |id: &str| shop.get(&format!("/v1/refunds/{id}")).await.body["status"].clone();
    assert_eq!((status(one.id()).await, status(two.id()).await), ("succeeded".into(), "failed".into()));
    assert!(shop.control().refund(two.id(), true).await.is_err());
    assert_eq!(shop.control().statement().await.accounts[0].kept(), 400);
    assert!(shop.refund(&id, "400").await.is("pending"));
}

#[tokio::test]
async fn refunds_of_test_cards_go_on_after_a_day() {
    let shop = Shop::open().await;
    let pending = shop.captured("700", "pm_card_pendingRefund").await;
    let failing = shop.captured("700", "pm_card_refundFail").await;
    let (pending, failing) = (shop.refund(&pending, "700").await, shop.refund(&failing, "700").await);
    assert!(pending.is("pending") && failing.is("succeeded"));
    shop.control().turn(DAY).await;
    let status = async |id: &str| shop.get(&format!("/v1/refunds/{id}")).await.body["status"].clone();
    assert_eq!(status(pending.id()).await, "succeeded");
    assert_eq!(status(failing.id()).await, "failed");
}

#[tokio::test]
async fn a_hold_ends_by_itself_after_seven_days_and_not_before() {
    let shop = Shop::open().await;
    let id = shop.held("700", "pm_card_visa").await;
    let intent = shop.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge")).await.body;
    let card = &intent["latest_charge"]["payment_method_details"]["card"];
    let until = card["capture_before"].as_i64().unwrap() - intent["created"].as_i64().unwrap();
    assert!((7 * 86_400..7 * 86_400 + 60).contains(&until), "{until}");
    shop.control().turn(DAY * 7 - Duration::from_secs(60)).await;
    assert_eq!(shop.intent(&id).await["status"], "requires_capture");
    shop.control().turn(Duration::from_secs(61)).await;
    let intent = shop.intent(&id).await;
    assert_eq!(
        (&intent["status"], &intent["cancellation_reason"]),
        (&"canceled".into(), &"automatic".into())
    );
    assert_eq!(shop.control().statement().await.accounts[0].sum(Moved::Voided), 700);
}
