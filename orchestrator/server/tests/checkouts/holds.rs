//! A hold that ends before its money can be taken.

use crate::support::order_of;
use crate::world;

#[tokio::test]
async fn a_hold_that_ends_too_soon_is_let_go_in_time_and_never_captured() {
    let world = world().await;
    world.participants.state().holds_for = Some(1);
    let back = world.checkout_final("k1", &order_of("cart-1")).await;
    assert_eq!((back.text("/status"), back.text("/refusal/reason")), ("compensated", "EXPIRED"), "{back:?}");
    assert_eq!(back.text("/refusal/step"), "authorize_payment");
    world.participants.called("void", 1).await;
    let saga = world.get(&format!("/operator/v1/sagas/{}", back.text("/checkout_id"))).await;
    let steps = saga.body["steps"].as_array().unwrap();
    let capture = steps.iter().find(|step| step["name"] == "capture_payment").unwrap();
    assert_eq!(capture["attempts"], 0, "{capture}");

    world.participants.state().holds_for = None;
    let done = world.checkout_final("k2", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed", "{done:?}");
}
