//! One key is one checkout, and one cart is in one checkout.

use serde_json::{Value, json};

use crate::support::{answer, order_of};
use crate::{with, world};

#[tokio::test]
async fn the_same_key_and_body_is_the_same_checkout_although_the_cart_is_empty_by_now() {
    let world = world().await;
    let first = world.checkout_final("k", &order_of("cart-1")).await;
    assert!(world.participants.state().carts["cart-1"].items.is_empty());

    let again = world.checkout_final("k", &with(order_of("cart-1"), "customer_id", Value::Null)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let receipt = world.checkout("k", &order_of("cart-1")).await;
    assert_eq!((receipt.status, receipt.text("/status")), (202, "completed"));
    assert_eq!(receipt.header("location"), first.header("location"));
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_names_what_it_started() {
    let world = world().await;
    let first = world.checkout_final("k", &order_of("cart-1")).await;
    let other = world.checkout("k", &with(order_of("cart-1"), "shipping_method", json!("express"))).await;
    other.is_problem(422, "key-reused", "Idempotency-Key");
    assert!(other.text("/detail").contains("use a new key"), "{}", other.body);
    assert_eq!(other.header("location"), first.header("location"));
    assert_eq!(other.text("/checkout_id"), first.text("/checkout_id"));
}

#[tokio::test]
async fn one_key_sent_many_times_at_once_is_one_checkout() {
    let world = world().await;
    let body = order_of("cart-1");
    let sent = (0..16).map(|_| world.checkout_final("k", &body));
    let answers = futures::future::join_all(sent).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    assert_eq!(world.participants.state().orders.len(), 1);
}

#[tokio::test]
async fn a_request_whose_twin_was_faster_finds_the_twin_s_checkout_and_not_its_traces() {
    let world = world().await;
    let body = order_of("cart-1");
    world.participants.hold_next("get_cart");
    let slow = tokio::spawn(world.checkout_request("k", &body).send());
    world.participants.called("get_cart", 1).await;
    // The key was free when the first looked it up; its twin has emptied the cart when the first sees it.
    let fast = world.checkout_final("k", &body).await;
    world.participants.release("get_cart");
    let slow = answer(slow.await.unwrap().unwrap()).await;
    assert_eq!((slow.status, fast.status), (202, 200));
    assert_eq!(slow.text("/checkout_id"), fast.text("/checkout_id"));
}

#[tokio::test]
async fn another_key_for_a_cart_in_checkout_is_told_where_the_first_one_is() {
    let world = world().await;
    world.participants.hold("authorize");
    let first = world.checkout("k1", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let second = world.checkout("k2", &order_of("cart-1")).await;
    second.is_problem(409, "cart-in-checkout", "/cart_id");
    assert_eq!(second.header("location"), first.header("location"));
    let deleted = world.delete("/api/v1/carts/cart-1").await;
    deleted.is_problem(409, "cart-in-checkout", "/cart_id");
    // The same key is not another checkout of the cart: it is this one.
    let retry = world.checkout("k1", &order_of("cart-1")).await;
    assert_eq!((retry.status, retry.header("location")), (202, first.header("location")));
    world.participants.release("authorize");
}

#[tokio::test]
async fn another_key_is_told_before_the_first_checkout_holds_the_cart() {
    let world = world().await;
    world.participants.hold("hold");
    let (keys, body) = ((0..8).map(|n| format!("k{n}")).collect::<Vec<_>>(), order_of("cart-1"));
    let answers = keys.iter().map(|key| world.checkout(key, &body));
    let answers = futures::future::join_all(answers).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (1, 7));
    for refused in refused {
        refused.is_problem(409, "cart-in-checkout", "/cart_id");
        assert_eq!(refused.header("location"), accepted[0].header("location"));
    }
    world.participants.release("hold");
}

#[tokio::test]
async fn a_key_is_required_and_has_1_to_255_characters() {
    let world = world().await;
    let none = world.request(reqwest::Method::POST, "/api/v1/checkouts").json(&order_of("cart-1"));
    answer(none.send().await.unwrap()).await.is_problem(400, "missing-header", "Idempotency-Key");
    world.checkout(&"k".repeat(256), &order_of("cart-1")).await.is_problem(
        400,
        "invalid-header",
        "Idempotency-Key",
    );
    assert_eq!(world.store.commits(), 0);
    assert_eq!(world.checkout_final(&"k".repeat(255), &order_of("cart-1")).await.status, 200);
}
