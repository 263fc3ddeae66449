//! A checkout is cancelled, by its address or by its key.

use backstitch_store::Store as _;
use serde_json::json;

use crate::support::{Setup, World, answer, order_of};
use crate::world;

#[tokio::test]
async fn a_key_that_is_given_up_unused_starts_nothing_ever() {
    let world = world().await;
    for _ in 0..2 {
        let blocked = world.delete("/api/v1/checkouts?key=k%201").await;
        assert_eq!((blocked.status, &blocked.body), (204, &json!("")));
    }
    world.checkout("k 1", &order_of("cart-1")).await.is_problem(409, "key-given-up", "Idempotency-Key");
    world.delete("/api/v1/checkouts").await.is_problem(400, "invalid-parameter", "key");
    world.delete("/api/v1/checkouts?key=").await.is_problem(400, "invalid-parameter", "key");
    world.delete("/api/v1/checkouts?key=a%00").await.is_problem(400, "invalid-parameter", "key");
    let long = "k".repeat(256);
    world.delete(&format!("/api/v1/checkouts?key={long}")).await.is_problem(400, "invalid-parameter", "key");
    world.delete("/api/v1/checkouts?key=a&all=1").await.is_problem(400, "invalid-parameter", "all");
}

#[tokio::test]
async fn giving_a_used_key_up_takes_its_checkout_back_or_says_that_it_is_too_late() {
    let world = world().await;
    world.participants.hold("authorize");
    let first = world.checkout("k1", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let given_up = world.delete("/api/v1/checkouts?key=k1").await;
    assert!(matches!(given_up.status, 200 | 202), "{given_up:?}");
    assert_eq!(given_up.header("location"), first.header("location"));
    assert_eq!(given_up.text("/refusal/reason"), "CANCELLED");
    world.participants.release("authorize");
    let back = world.checkout_final("k1", &order_of("cart-1")).await;
    assert_eq!(back.text("/status"), "compensated");

    let done = world.checkout_final("k2", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let late = world.delete("/api/v1/checkouts?key=k2").await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert!(late.text("/detail").ends_with("its order can be returned."), "{}", late.body);
    assert_eq!(late.header("location"), done.header("location"));
}

#[tokio::test]
async fn a_cancel_is_durable_before_it_is_answered_and_can_be_repeated() {
    let world = world().await;
    world.participants.hold("authorize");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let cancel = format!("{}/cancel", accepted.header("location"));
    let cancelled = world.post(&cancel).await;
    assert!(matches!(cancelled.text("/status"), "compensating" | "compensated"), "{cancelled:?}");
    world.participants.release("authorize");
    let waited =
        world.request(reqwest::Method::POST, &cancel).header("Prefer", "wait=30").send().await.unwrap();
    let back = answer(waited).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));
    assert_eq!(world.post(&cancel).await.body, back.body);
    assert!(world.participants.state().orders.values().all(|o| o.status != "confirmed"));
}

#[tokio::test]
async fn after_the_pivot_a_cancel_is_too_late() {
    let world = world().await;
    world.participants.hold("capture");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    world.participants.called("capture", 1).await;
    let cancel = format!("{}/cancel", accepted.header("location"));
    let late = world.post(&cancel).await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert!(late.text("/detail").ends_with("its order can be returned."), "{}", late.body);
    world.participants.release("capture");
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let late = world.post(&cancel).await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert!(late.text("/detail").ends_with("its order can be returned."), "{}", late.body);
}

#[tokio::test]
async fn what_is_from_a_backup_is_not_cancelled_before_it_is_known_how_far_it_came() {
    let before = world().await;
    before.participants.hold("authorize");
    let accepted = before.checkout("k", &order_of("cart-1")).await;
    before.participants.called("authorize", 1).await;
    before.store.mark_restored(0).await.unwrap();
    let participants = Some((before.participants.clone(), before.participants_at.clone()));
    let setup = Setup { store: before.store.clone(), participants, ..Setup::default() };
    let world = World::with(setup).await;
    world.engine.recover().await.unwrap();
    world.participants.called("authorize", 2).await;
    for _ in 0..2 {
        let cancelled = world.post(&format!("{}/cancel", accepted.header("location"))).await;
        cancelled.is_problem(409, "conflict", "");
        assert!(!cancelled.header("retry-after").is_empty(), "{cancelled:?}");
        let given_up = world.delete("/api/v1/checkouts?key=k").await;
        given_up.is_problem(409, "conflict", "");
    }
    // Nobody has taken it back, and it was done.
    world.participants.release("authorize");
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
}
