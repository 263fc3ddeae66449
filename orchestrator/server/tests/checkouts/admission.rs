//! What is not accepted leaves nothing behind.

use backstitch_proto::common::{Money, PricedItem};
use serde_json::json;

use crate::support::{Setup, World, order_of};
use crate::{stocked, with, world};

#[tokio::test]
async fn a_cart_that_cannot_be_checked_out_is_a_problem_and_nothing_is_written() {
    let world = world().await;
    world.participants.product("E", "EUR");
    world.participants.cart("unsold", &[("A", 1), ("X", 1)]);
    world.participants.cart("mixed", &[("A", 1), ("E", 1)]);
    world.participants.cart("empty", &[]);
    world.participants.cart("ada", &[("A", 1)]);
    world.participants.state().carts.get_mut("ada").unwrap().customer_id = "ada".into();
    let euros = json!({"amount_minor": 1295, "currency": "EUR"});
    let cases = [
        (order_of("nothing"), 404, "unknown-cart", "/cart_id"),
        (order_of("empty"), 422, "empty-cart", "/cart_id"),
        (order_of("unsold"), 422, "unknown-sku", "/cart_id"),
        (order_of("mixed"), 422, "mixed-currencies", "/cart_id"),
        (
            with(order_of("cart-1"), "expected_total", euros),
            422,
            "currency-mismatch",
            "/expected_total/currency",
        ),
        (with(order_of("ada"), "customer_id", json!("bob")), 422, "customer-mismatch", "/customer_id"),
        (with(order_of("cart-1"), "email", json!("nobody")), 422, "invalid-field", "/email"),
        (with(order_of("cart-1"), "coupon", json!("x")), 400, "unknown-field", "/coupon"),
    ];
    for (body, status, slug, field) in cases {
        world.checkout("k", &body).await.is_problem(status, slug, field);
    }
    let unsold = world.checkout("k", &order_of("unsold")).await;
    assert_eq!((unsold.text("/sku"), &unsold.body["index"]), ("X", &json!(1)));
    assert_eq!(world.store.commits(), 0);
    // A problem promises nothing about the key.
    assert_eq!(world.checkout_final("k", &order_of("cart-1")).await.status, 200);
}

#[tokio::test]
async fn a_lying_inventory_is_not_the_customer_s_fault_and_nothing_is_written() {
    let world = world().await;
    for (minor, currency) in [(-500, "GBP"), (0, "GBP"), (500, "")] {
        let unit_price = Some(Money { amount_minor: minor, currency: currency.into() });
        let item =
            PricedItem { sku: "A".into(), quantity: 2, name: "A".into(), unit_price, unit_weight_grams: 1 };
        world.participants.state().lie = Some(vec![item]);
        let answer = world.checkout("k", &order_of("cart-1")).await;
        answer.is_problem(502, "participant-broken", "");
        assert_eq!(answer.text("/part"), "inventory");
    }
    assert_eq!(world.store.commits(), 0);
}

#[tokio::test]
async fn a_participant_that_is_away_is_named_and_nothing_is_written() {
    let world = World::with(Setup { away: &["inventory"], ..Setup::default() }).await;
    world.participants.cart("cart-1", &[("A", 2)]);
    let answer = world.checkout("k", &order_of("cart-1")).await;
    answer.is_problem(503, "unavailable", "");
    assert_eq!((answer.text("/part"), answer.header("retry-after")), ("inventory", "1"));
    assert_eq!(world.store.commits(), 0);
}

#[tokio::test]
async fn too_much_to_do_is_429_with_a_hint() {
    let world = stocked(World::with(Setup { max_live: 1, ..Setup::default() }).await);
    world.participants.cart("cart-2", &[("A", 1)]);
    world.participants.hold("authorize");
    let first = world.checkout("k1", &order_of("cart-1")).await;
    assert_eq!(first.status, 202);
    let busy = world.checkout("k2", &order_of("cart-2")).await;
    busy.is_problem(429, "busy", "");
    assert_eq!(busy.header("retry-after"), "1");
    // A retry of what was accepted is not new work.
    assert_eq!(world.checkout("k1", &order_of("cart-1")).await.status, 202);
    world.participants.release("authorize");
}

#[tokio::test]
async fn while_a_participant_does_not_serve_us_new_checkouts_are_refused_and_earlier_ones_wait() {
    let world = world().await;
    world.participants.cart("cart-2", &[("A", 1)]);
    world.participants.state().unserved.insert("authorize");
    assert_eq!(world.checkout("k1", &order_of("cart-1")).await.status, 202);
    // Others may be balanced to other nodes, which would not help them: this one stays ready.
    let degraded = loop {
        let ready = world.get("/readyz").await;
        assert_eq!(ready.status, 200);
        if ready.text("/status") == "degraded" {
            break ready;
        }
    };
    assert_eq!(degraded.text("/parts/0/part"), "payment");

    let refused = world.checkout("k2", &order_of("cart-2")).await;
    refused.is_problem(503, "unavailable", "");
    assert_eq!((refused.text("/part"), refused.header("retry-after")), ("payment", "1"));
    let told = refused.text("/detail");
    assert!(told.contains("payment does not serve what is asked of it"), "{told}");
    assert!(told.contains("no such method"), "{told}");
    // A retry of what was accepted is not new work.
    assert_eq!(world.checkout("k1", &order_of("cart-1")).await.status, 202);

    world.participants.state().unserved.clear();
    let done = world.checkout_final("k1", &order_of("cart-1")).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"), "{done:?}");
    assert_eq!(world.get("/readyz").await.body, json!({"status": "ready"}));
    assert_eq!(world.checkout_final("k2", &order_of("cart-2")).await.text("/status"), "completed");
}
