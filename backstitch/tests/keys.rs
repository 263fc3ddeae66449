//! Idempotency keys and carts: what is sent twice happens once, what is given up never happens, and what can still be
//! cancelled is.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Answer, Shop, item, order_of, until, with};
use futures::future::join_all;
use serde_json::json;

/// A shop with a checkout of `cart`, and the checkout's document once it waits for a customer who never comes.
async fn held_before_the_pivot() -> (Shop, Answer) {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 2)]).await;
    let started = shop.begin("k", &order_of("cart", "tok_3ds_never")).await.ok();
    shop.reaches(started.text("/checkout_id"), &["waiting"]).await;
    (shop, started)
}

/// A shop with a checkout of `cart` whose capture is under way: the bank takes its time with the answer.
async fn held_at_the_pivot() -> (Shop, Answer) {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 2)]).await;
    let started = shop.begin("k", &order_of("cart", "tok_slow_capture")).await.ok();
    until("the pivot begins", async || {
        let saga = shop.saga(started.text("/checkout_id")).await;
        let records = saga.body["records"].as_array().unwrap();
        records.iter().any(|record| record["kind"] == "pivot_intent").then_some(())
    })
    .await;
    (shop, started)
}

#[tokio::test]
async fn the_same_key_and_body_is_the_same_checkout_however_often_and_whenever_it_is_sent() {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 2)]).await;
    let body = order_of("cart", "tok_ok");
    let at_once = join_all((0..8).map(|_| shop.check_out("k", &body))).await;
    for answer in &at_once {
        assert_eq!((answer.text("/status"), &answer.body), ("completed", &at_once[0].body));
    }
    // The cart is empty by now; an absent member and a null one are one request.
    let later = shop.check_out("k", &with(body, "/customer_id", json!(null))).await;
    assert_eq!(later.body, at_once[0].body);
    assert_eq!(shop.stock("A").await, (98, 0, 2));
    assert_eq!(shop.close().await["counts"]["sagas"], 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_says_what_the_key_stands_for() {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 2)]).await;
    let first = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    let other = shop.begin("k", &order_of("cart", "tok_declined")).await;
    other.is_problem(422, "key-reused", "Idempotency-Key");
    assert_eq!(other.text("/checkout_id"), first.text("/checkout_id"));
    assert_eq!(other.header("location"), format!("/api/v1/checkouts/{}", first.text("/checkout_id")));
    shop.close().await;
}

#[tokio::test]
async fn a_cart_in_checkout_is_not_checked_out_under_another_key() {
    let (shop, first) = held_before_the_pivot().await;
    let second = shop.begin("k2", &order_of("cart", "tok_ok")).await;
    second.is_problem(409, "cart-in-checkout", "/cart_id");
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(second.text("/checkout_id"), first.text("/checkout_id"));
    shop.delete("/api/v1/carts/cart").await.is_problem(409, "cart-in-checkout", "/cart_id");
    // The first key is no other checkout: it is this one.
    let again = shop.begin("k", &order_of("cart", "tok_3ds_never")).await.ok();
    assert_eq!(again.text("/checkout_id"), first.text("/checkout_id"));

    shop.post(&format!("{}/cancel", first.header("location"))).await.ok();
    shop.rested(first.text("/checkout_id")).await;
    let done = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    shop.close().await;
}

#[tokio::test]
async fn what_is_put_into_a_cart_during_its_checkout_stays_in_it() {
    let (shop, started) = held_at_the_pivot().await;
    let held = shop.get("/api/v1/carts/cart").await.ok();
    assert_eq!(held.text("/held_by"), started.text("/checkout_id"));
    let edited = shop.fill("cart", &[("A", 3), ("B", 1)]).await;
    assert!(edited.int("/version") > held.int("/version"));

    let done = shop.rested(started.text("/checkout_id")).await;
    assert_eq!(done.text("/status"), "completed");
    let cart = shop.get("/api/v1/carts/cart").await.ok();
    assert_eq!(cart.body["items"], json!([item("A", 1), item("B", 1)]));
    assert_eq!(cart.body.get("held_by"), None);
    // What was bought is what the cart held when it was checked out.
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((98, 0, 2), (100, 0, 0)));
    let rest = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    assert_eq!(rest.text("/status"), "completed");
    assert_eq!((shop.stock("A").await, shop.stock("B").await), ((97, 0, 3), (99, 0, 1)));
    shop.close().await;
}

#[tokio::test]
async fn a_key_that_is_given_up_unused_never_starts_anything() {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 2)]).await;
    for _ in 0..2 {
        assert_eq!(shop.delete("/api/v1/checkouts?key=k%201").await.status, 204);
    }
    let late = shop.begin("k 1", &order_of("cart", "tok_ok")).await;
    late.is_problem(409, "key-given-up", "Idempotency-Key");
    let done = shop.check_out("k 2", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    assert_eq!(shop.close().await["counts"]["sagas"], 1);
}

#[tokio::test]
async fn giving_a_used_key_up_cancels_its_checkout() {
    let (shop, started) = held_before_the_pivot().await;
    let given_up = shop.delete("/api/v1/checkouts?key=k").await;
    assert!(matches!(given_up.status, 200 | 202), "{given_up:?}");
    assert_eq!(given_up.header("location"), started.header("location"));
    assert_eq!(given_up.text("/refusal/reason"), "CANCELLED");
    let back = shop.rested(started.text("/checkout_id")).await;
    assert_eq!(back.text("/status"), "compensated");
    // The key still stands for it.
    let again = shop.begin("k", &order_of("cart", "tok_3ds_never")).await.ok();
    assert_eq!(again.text("/checkout_id"), started.text("/checkout_id"));
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    shop.close().await;
}

#[tokio::test]
async fn a_cancel_before_the_pivot_is_durable_when_it_is_answered_and_can_be_repeated() {
    let (mut shop, started) = held_before_the_pivot().await;
    let cancel = format!("{}/cancel", started.header("location"));
    let cancelled = shop.post(&cancel).await.ok();
    assert!(matches!(cancelled.text("/status"), "compensating" | "compensated"), "{cancelled:?}");
    shop.kill();
    shop.start().await;
    let back = shop.rested(started.text("/checkout_id")).await;
    assert_eq!((back.text("/status"), back.text("/refusal/reason")), ("compensated", "CANCELLED"));
    let again = shop.post(&cancel).await;
    assert_eq!((again.status, &again.body), (200, &back.body));
    assert_eq!(shop.get("/api/v1/carts/cart").await.ok().body.get("held_by"), None);
    shop.close().await;
}

#[tokio::test]
async fn after_the_pivot_has_begun_it_is_too_late_to_cancel() {
    let (shop, started) = held_at_the_pivot().await;
    let cancel = format!("{}/cancel", started.header("location"));
    let late = shop.post(&cancel).await;
    late.is_problem(409, "too-late-to-cancel", "");
    assert_eq!(late.header("location"), started.header("location"));
    shop.delete("/api/v1/checkouts?key=k").await.is_problem(409, "too-late-to-cancel", "");

    let done = shop.rested(started.text("/checkout_id")).await;
    assert_eq!(done.text("/status"), "completed");
    shop.post(&cancel).await.is_problem(409, "too-late-to-cancel", "");
    shop.delete("/api/v1/checkouts?key=k").await.is_problem(409, "too-late-to-cancel", "");
    shop.close().await;
}
