//! A Stripe that answers late, wrongly or not at all: whatever it does, money moves once.

use backstitch_stripe_double::{Fault, Kind, Operation, Storm};

use crate::scene::{Scene, Word};

const CALLS: [Operation; 3] = [Operation::CreateIntent, Operation::ConfirmIntent, Operation::CaptureIntent];
const KINDS: [Kind; 7] = [
    Kind::ReplyLost,
    Kind::Reset,
    Kind::ErrorExecuted,
    Kind::ErrorStored,
    Kind::ErrorUnexecuted,
    Kind::RateLimited(1),
    Kind::KeyInUse,
];

#[tokio::test]
async fn every_fault_of_every_call_ends_in_one_capture_or_none() {
    let mut scene = Scene::open(Word::None).await;
    for operation in CALLS {
        for (number, kind) in KINDS.into_iter().enumerate() {
            scene.control().fault(Fault::next(operation, kind)).await;
            let cart = format!("{operation:?}-{number}");
            let told = scene.check_out(&cart, "pm_card_visa").await;
            let ended = told.text("/status");
            assert!(["completed", "compensated"].contains(&ended), "{operation:?} {kind:?}: {told:?}");
        }
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
