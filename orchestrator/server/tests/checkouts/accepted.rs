//! What becomes of a checkout that is accepted.

use serde_json::json;

use crate::support::{World, answer, order_of};
use crate::{NOBODY, with, world};

#[tokio::test]
async fn an_accepted_checkout_is_found_at_its_location_and_completes() {
    let world = world().await;
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    assert_eq!((accepted.status, accepted.text("/status")), (202, "running"));
    let location = accepted.header("location").to_owned();
    assert_eq!(location, format!("/api/v1/checkouts/{}", accepted.text("/checkout_id")));

    let waited =
        world.request(reqwest::Method::GET, &location).header("Prefer", "wait=30").send().await.unwrap();
    let document = answer(waited).await;
    assert_eq!((document.status, document.header("preference-applied")), (200, "wait=30"));
    assert_eq!(document.text("/status"), "completed");
    assert_eq!(document.body["total"], json!({"amount_minor": 1295, "currency": "GBP"}));
    assert_eq!(document.text("/order_number"), "BS-000001");
    assert_eq!(world.get(&location).await.body, document.body);

    let order = world.get(&format!("/api/v1/orders/{}", document.text("/order_id"))).await;
    assert_eq!((order.status, order.text("/status")), (200, "confirmed"));
    assert_eq!(order.body["total"], document.body["total"]);
    assert_eq!(order.text("/checkout_id"), document.text("/checkout_id"));
}

#[tokio::test]
async fn a_preference_to_wait_answers_with_the_final_document() {
    let world = world().await;
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"));
    assert_eq!(done.header("location"), format!("/api/v1/checkouts/{}", done.text("/checkout_id")));
    assert_eq!(done.header("preference-applied"), "wait=30");
}

#[tokio::test]
async fn a_total_that_differs_from_the_expected_one_is_taken_back_with_the_new_total() {
    let world = world().await;
    let expected = json!({"amount_minor": 1294, "currency": "GBP"});
    let back = world.checkout_final("k", &with(order_of("cart-1"), "expected_total", expected)).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));
    assert_eq!(back.text("/refusal/reason"), "TOTAL_CHANGED");
    assert_eq!(back.text("/refusal/step"), "authorize_payment");
    assert_eq!(back.body["total"], json!({"amount_minor": 1295, "currency": "GBP"}));
    assert_eq!(back.body.get("order_id"), None);
    assert_eq!(world.participants.state().carts["cart-1"].held_by, "");

    let expected = json!({"amount_minor": 1295, "currency": "GBP"});
    let done = world.checkout_final("k2", &with(order_of("cart-1"), "expected_total", expected)).await;
    assert_eq!(done.text("/status"), "completed");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_step_its_reason_and_its_facts() {
    let world = world().await;
    let declined = with(order_of("cart-1"), "payment_method", json!("tok_declined"));
    let declined = world.checkout_final("k1", &declined).await;
    assert_eq!((declined.status, declined.text("/status")), (200, "compensated"));
    assert_eq!(declined.body["refusal"]["reason"], "CARD_DECLINED");
    world.participants.state().out_of_stock = true;
    let out = world.checkout_final("k2", &order_of("cart-1")).await;
    let told = json!({
        "step": "reserve_stock", "reason": "OUT_OF_STOCK", "detail": "only 2 left", "metadata": {"sku": "A"},
    });
    assert_eq!(out.body["refusal"], told);
}

#[tokio::test]
async fn a_cart_of_600_lines_is_put_and_checked_out() {
    let world = World::new().await;
    let mut items = Vec::new();
    for i in 0..600 {
        let sku = format!("SKU-{i}");
        world.participants.product(&sku, "GBP");
        items.push(json!({"sku": sku, "quantity": 1 + i % 7}));
    }
    let put = world.put("/api/v1/carts/long", &json!({ "items": items })).await;
    assert_eq!(put.status, 200);
    let done = world.checkout_final("k", &order_of("long")).await;
    assert_eq!(done.text("/status"), "completed");
    let quantity: i64 = (0..600).map(|i| 1 + i % 7).sum();
    assert_eq!(done.body["total"]["amount_minor"], quantity * 500 + 295);
}

#[tokio::test]
async fn ids_that_are_none_and_ids_of_nothing_are_told_apart() {
    let world = world().await;
    for (method, tail) in [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/wake")] {
        let method = method.parse::<reqwest::Method>().unwrap();
        let ask = async |id: &str| {
            let path = format!("/api/v1/checkouts/{id}{tail}");
            answer(world.request(method.clone(), &path).send().await.unwrap()).await
        };
        ask("seven").await.is_problem(400, "invalid-id", "checkout_id");
        ask(NOBODY).await.is_problem(404, "unknown-checkout", "checkout_id");
    }
    world.get("/api/v1/orders/seven").await.is_problem(400, "invalid-id", "order_id");
    world.get(&format!("/api/v1/orders/{NOBODY}")).await.is_problem(404, "unknown-order", "order_id");
}
