//! Webhooks that are lost, doubled, out of order, early, or nobody's.

use backstitch_stripe_double::{Endpoint, Treatment};

use crate::scene::{Scene, Word};

#[tokio::test]
async fn webhooks_that_come_by_themselves_change_nothing_that_polling_would_not() {
    let mut scene = Scene::open(Word::Sent).await;
    scene.control().treat(Treatment::twice(20)).await;
    let done = scene.check_out("doubled", "pm_card_visa").await;
    assert_eq!(done.text("/status"), "completed");
    let (id, intent) = scene.challenged("doubled-too").await;
    scene.control().customer(&intent, true).await.unwrap();
    assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed");
    scene.all_acted_on().await;
    let delivered = scene.control().delivered().await;
    assert!(delivered.len() > scene.control().events().await.len(), "not doubled: {delivered:?}");
    assert!(delivered.iter().all(|delivered| delivered.status == 200), "{delivered:?}");
    scene.close().await;
}

#[tokio::test]
async fn webhooks_that_are_lost_are_not_missed() {
    let mut scene = Scene::open(Word::Sent).await;
    scene.control().treat(Treatment::lost(1_000)).await;
    let (id, intent) = scene.challenged("lost").await;
    scene.control().customer(&intent, true).await.unwrap();
    assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed");
    assert_eq!(scene.control().delivered().await, []);
    scene.close().await;
}

#[tokio::test]
async fn a_webhook_that_comes_before_our_own_commit_is_harmless() {
    let mut scene = Scene::open(Word::Sent).await;
    // The answer comes so late that the webhook of the same hold, and of the same capture, is there before it.
    for operation in [
        backstitch_stripe_double::Operation::ConfirmIntent,
        backstitch_stripe_double::Operation::CaptureIntent,
    ] {
        let late = backstitch_stripe_double::Kind::Late(1_500);
        scene.control().fault(backstitch_stripe_double::Fault::next(operation, late)).await;
    }
    let done = scene.check_out("early", "pm_card_visa").await;
    assert_eq!(done.text("/status"), "completed", "{done:?}");
    assert_eq!(scene.control().delivered().await.len(), 2);
    scene.all_acted_on().await;
    let early = "SELECT a.verb, a.ended_at_ms - w.received_at_ms FROM attempts a JOIN webhooks w
         ON w.kind = CASE a.verb WHEN 'confirm' THEN 'payment_intent.amount_capturable_updated'
                                 WHEN 'capture' THEN 'payment_intent.succeeded' END
         ORDER BY a.began_at_ms";
    let early = scene.booked(early).await;
    assert_eq!(early.iter().map(|(verb, _)| verb.as_str()).collect::<Vec<_>>(), ["confirm", "capture"]);
    assert!(
        early.iter().all(|(_, by_ms)| *by_ms > 0),
        "it was there before the answer was written: {early:?}"
    );
    scene.close().await;
}

#[tokio::test]
async fn what_is_not_signed_with_the_secret_is_refused() {
    let mut scene = Scene::open(Word::Held).await;
    let (id, intent) = scene.challenged("waits").await;
    let asked = scene.event(&intent, "payment_intent.requires_action").await;
    let (url, secrets) = (scene.webhooks().to_owned(), vec!["whsec_of_somebody_else".to_owned()]);
    scene.control().webhooks(Some(Endpoint { url, secrets, held: true })).await;
    assert_eq!(scene.control().deliver(&[&asked]).await, [401]);
    scene.control().customer(&intent, true).await.unwrap();
    scene.shop.rested(&id).await;
    scene.close().await;
}
