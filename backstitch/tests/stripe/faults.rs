//! A Stripe that answers late, wrongly or not at all: whatever it does, money moves once.

use std::time::{Duration, Instant};

use backstitch_stripe_double::{Done, Fault, Kind, Operation, Storm};
use serde_json::json;

use crate::scene::{Scene, Word};

const KINDS: [Kind; 7] = [
    Kind::ReplyLost,
    Kind::Reset,
    Kind::ErrorExecuted,
    Kind::ErrorStored,
    Kind::ErrorUnexecuted,
    Kind::RateLimited(1),
    Kind::KeyInUse,
];

/// As many checkouts as there are faults of one call; each fault meets one of them, or another attempt of one.
async fn every_fault_of(operation: Operation) {
    let mut scene = Scene::open(Word::None).await;
    for kind in KINDS {
        scene.control().fault(Fault::next(operation, kind)).await;
    }
    let mut begun = Vec::new();
    for number in 0..KINDS.len() {
        begun.push(scene.begin(&format!("customer-{number}"), "pm_card_visa").await);
    }
    for id in &begun {
        let told = scene.shop.rested(id).await;
        assert!(["completed", "compensated"].contains(&told.text("/status")), "{told:?}");
    }
    let calls = scene.control().calls().await;
    let met = calls.iter().filter(|call| call.operation == operation && call.status != 200).count();
    assert!(met >= KINDS.len(), "{met} of {}: {calls:?}", KINDS.len());
    scene.close().await;
}

#[tokio::test]
async fn every_fault_of_a_creation_ends_in_one_capture_or_none() {
    every_fault_of(Operation::CreateIntent).await;
}

#[tokio::test]
async fn every_fault_of_a_confirmation_ends_in_one_capture_or_none() {
    every_fault_of(Operation::ConfirmIntent).await;
}

#[tokio::test]
async fn every_fault_of_a_capture_ends_in_one_capture_or_none() {
    every_fault_of(Operation::CaptureIntent).await;
}

#[tokio::test]
async fn every_fault_of_a_refund_ends_in_one_refund() {
    let mut scene = Scene::open(Word::None).await;
    // A 500 that came before the refund and that its key gives again for a day is the one that nobody can wait for here.
    let kinds = KINDS.into_iter().filter(|kind| *kind != Kind::ErrorStored);
    let mut begun = Vec::new();
    for kind in kinds.clone() {
        begun.push(scene.begin(&format!("{kind:?}").replace(['(', ')'], "-"), "pm_card_visa").await);
    }
    let mut sold = Vec::new();
    for id in &begun {
        sold.push(scene.shop.rested(id).await);
    }
    for kind in kinds {
        scene.control().fault(Fault::next(Operation::CreateRefund, kind)).await;
    }
    let mut asked = Vec::new();
    for order in &sold {
        asked.push(scene.begin_return(order, order.text("/order_id"), &json!({})).await);
    }
    for (order, asked) in sold.iter().zip(&asked) {
        let back = scene.returned(order, asked, &["completed", "compensated", "parked"]).await;
        assert_eq!(back.text("/status"), "completed", "{back:?}");
        scene.refunds(order, 1).await;
    }
    let calls = scene.control().calls().await;
    let refund = |call: &&Done| call.operation == Operation::CreateRefund && call.status != 200;
    let met = calls.iter().filter(refund).count();
    assert!(met >= sold.len(), "{met} of {}: {calls:?}", sold.len());
    scene.close().await;
}

#[tokio::test]
async fn a_saga_comes_back_to_a_busy_stripe_when_it_was_told_to() {
    let mut scene = Scene::open(Word::None).await;
    for (operation, name) in [
        (Operation::CreateIntent, "authorize_payment"),
        (Operation::ConfirmIntent, "authorize_payment"),
        (Operation::CaptureIntent, "capture_payment"),
    ] {
        scene.control().fault(Fault::next(operation, Kind::RateLimited(2))).await;
        let began = Instant::now();
        let id = scene.begin(&format!("{operation:?}"), "pm_card_visa").await;
        assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed", "{operation:?}");
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
        // Told once, and back once it may; a third attempt is one that was a moment early by another clock.
        let saga = scene.shop.saga(&id).await;
        let step = saga.body["steps"].as_array().unwrap().iter().find(|step| step["name"] == name).unwrap();
        assert!((2..=3).contains(&step["attempts"].as_u64().unwrap()), "{operation:?}: {step}");
    }
    scene.close().await;
}

#[tokio::test]
async fn a_void_that_is_lost_is_asked_for_until_it_is_seen() {
    let mut scene = Scene::open(Word::None).await;
    // A 500 that came before the cancel and that its key gives again for a day is the one that nobody can wait for here.
    for kind in KINDS.into_iter().filter(|kind| *kind != Kind::ErrorStored) {
        scene.control().fault(Fault::next(Operation::CancelIntent, kind)).await;
        let (id, _) = scene.challenged(&format!("{kind:?}").replace(['(', ')'], "-")).await;
        scene.shop.post(&format!("/api/v1/checkouts/{id}/cancel")).await.ok();
        assert_eq!(scene.shop.rested(&id).await.text("/status"), "compensated", "{kind:?}");
    }
    scene.close().await;
}

#[tokio::test]
async fn a_storm_of_faults_loses_no_money() {
    let mut scene = Scene::open(Word::Sent).await;
    scene.control().storm(Storm { seed: 5, percent: 25, kinds: KINDS.to_vec() }).await;
    let mut begun = Vec::new();
    for number in 0..12 {
        let card = ["pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined"][number % 3];
        begun.push(scene.begin(&format!("customer-{number}"), card).await);
    }
    for id in &begun {
        scene.shop.rested(id).await;
    }
    scene.control().calm().await;
    scene.close().await;
}
