//! Returns: accepted once their checkout has ended, followed like any saga, shown with their order; and as what makes a
//! checkout good that cannot be delivered.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_proto::returns::returns_client::ReturnsClient;
use backstitch_proto::returns::{GetReturnRequest, StartReturnRequest};
use backstitch_store::Store as _;
use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, World, answer, order_of};
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

const NOBODY: &str = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";

/// A world in which two of `A` and one of `B` were bought; and the checkout's document.
async fn bought() -> (World, Value) {
    let world = World::new().await;
    let done = buy(&world, "cart-1").await;
    assert_eq!(done.text("/status"), "completed", "{}", done.body);
    (world, done.body)
}

async fn buy(world: &World, cart: &str) -> Answer {
    for sku in ["A", "B"] {
        world.participants.product(sku, "GBP");
    }
    world.participants.cart(cart, &[("A", 2), ("B", 1)]);
    world.checkout_final(cart, &order_of(cart)).await
}

fn path_of(checkout: &Value) -> String {
    format!("/api/v1/orders/{}/returns", checkout["order_id"].as_str().unwrap())
}

async fn give_back(world: &World, checkout: &Value, key: &str, body: &Value) -> Answer {
    let request = world.request(Method::POST, &path_of(checkout)).header("Idempotency-Key", key).json(body);
    answer(request.header("Prefer", "wait=30").send().await.unwrap()).await
}

#[tokio::test]
async fn a_part_comes_back_and_then_what_is_left() {
    let (world, checkout) = bought().await;
    let part = json!({"items": [{"sku": "A", "quantity": 1}], "reason": "chipped"});
    let first = give_back(&world, &checkout, "r1", &part).await;
    assert_eq!((first.status, first.text("/status")), (200, "completed"), "{}", first.body);
    assert_eq!(first.body["refund"], json!({"amount_minor": 500, "currency": "GBP"}));
    assert_eq!(
        (&first.body["items"][0]["quantity"], first.text("/credit_note_number")),
        (&json!(1), "CN-000001")
    );
    assert_eq!(first.header("preference-applied"), "wait=30");
    let location = first.header("location").to_owned();
    assert_eq!(world.get(&location).await.body, first.body);
    assert_eq!(first.body["order_id"], checkout["order_id"]);

    let rest = give_back(&world, &checkout, "r2", &json!({})).await;
    assert_eq!(rest.body["refund"]["amount_minor"], 1000, "{}", rest.body);
    let order = world.get(&format!("/api/v1/orders/{}", checkout["order_id"].as_str().unwrap())).await;
    let shown = |n: usize, member: &str| order.body["returns"][n][member].clone();
    assert_eq!(
        (shown(0, "return_id"), shown(0, "status")),
        (first.body["return_id"].clone(), json!("completed"))
    );
    assert_eq!(
        (shown(1, "return_id"), shown(0, "reason")),
        (rest.body["return_id"].clone(), json!("chipped"))
    );
    assert_eq!(shown(0, "credit_note_number"), json!("CN-000001"));

    // A saga like any other, of its checkout's family.
    let id: Uuid = first.text("/return_id").parse().unwrap();
    let root: Uuid = checkout["checkout_id"].as_str().unwrap().parse().unwrap();
    let row = world.store.load(id).await.unwrap().unwrap().row;
    assert_eq!((row.root, row.shard), (root, world.store.load(root).await.unwrap().unwrap().row.shard));
    let saga = world.get(&format!("/operator/v1/sagas/{id}")).await;
    assert_eq!((saga.text("/definition"), saga.text("/status")), ("return", "completed"));
    let listed = world.get("/operator/v1/sagas?definition=return").await;
    assert_eq!(listed.body["sagas"].as_array().unwrap().len(), 2);
    // And nobody's checkout, as a checkout is nobody's return.
    world.get(&format!("/api/v1/checkouts/{id}")).await.is_problem(404, "unknown-checkout", "checkout_id");
    let cancel = world.post(&format!("/api/v1/checkouts/{id}/cancel")).await;
    cancel.is_problem(404, "unknown-checkout", "checkout_id");
    world.get(&format!("/api/v1/returns/{root}")).await.is_problem(404, "unknown-return", "return_id");
}

#[tokio::test]
async fn a_key_is_one_return_of_one_body_and_no_checkouts() {
    let (world, checkout) = bought().await;
    let body = json!({"items": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}]});
    // The checkout's own key: they never meet.
    let first = give_back(&world, &checkout, "cart-1", &body).await;
    let other_spelling =
        json!({"items": [{"sku": "B", "quantity": 1}, {"sku": "A", "quantity": 1}], "reason": ""});
    let again = give_back(&world, &checkout, "cart-1", &other_spelling).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let reused = give_back(&world, &checkout, "cart-1", &json!({})).await;
    reused.is_problem(422, "key-reused", "Idempotency-Key");
    assert_eq!(reused.body["return_id"], first.body["return_id"]);
    assert_eq!(reused.header("location"), first.header("location"));
    assert_eq!(world.participants.state().orders.values().next().unwrap().returns.len(), 1);
    let missing = world.request(Method::POST, &path_of(&checkout)).json(&body).send().await.unwrap();
    answer(missing).await.is_problem(400, "missing-header", "Idempotency-Key");
}

#[tokio::test]
async fn what_the_order_refuses_takes_the_return_back_and_says_why() {
    let (world, checkout) = bought().await;
    let refused = give_back(&world, &checkout, "r", &json!({"items": [{"sku": "A", "quantity": 3}]})).await;
    assert_eq!((refused.status, refused.text("/status")), (200, "compensated"), "{}", refused.body);
    assert_eq!(refused.text("/refusal/reason"), "MORE_THAN_BOUGHT");
    assert_eq!(
        (refused.text("/refusal/step"), refused.text("/refusal/metadata/left")),
        ("create_return", "2")
    );
}

#[tokio::test]
async fn a_refused_refund_frees_the_quantities() {
    let (world, checkout) = bought().await;
    world.participants.state().no_refunds = true;
    let refused = give_back(&world, &checkout, "r1", &json!({})).await;
    assert_eq!((refused.text("/status"), refused.text("/refusal/reason")), ("compensated", "REFUND_REFUSED"));
    assert_eq!(refused.text("/refusal/step"), "refund_payment");
    world.participants.state().no_refunds = false;
    let done = give_back(&world, &checkout, "r2", &json!({})).await;
    assert_eq!((done.text("/status"), &done.body["refund"]["amount_minor"]), ("completed", &json!(1500)));
}

#[tokio::test]
async fn an_order_whose_checkout_has_not_ended_is_not_returned() {
    let world = World::new().await;
    world.participants.hold("capture");
    world.participants.product("A", "GBP");
    world.participants.cart("c", &[("A", 1)]);
    world.checkout("k", &order_of("c")).await;
    world.participants.called("capture", 1).await;
    let order = world.participants.state().orders.keys().next().unwrap().clone();
    let ask = async || give_back(&world, &json!({"order_id": order}), "r", &json!({})).await;
    let under_way = ask().await;
    under_way.is_problem(409, "not-settled", "");
    assert_eq!(under_way.text("/saga_status"), "running");
    world.participants.state().broken.insert("create_shipment");
    world.participants.release("capture");
    world.checkout_final("k", &order_of("c")).await;
    let parked = ask().await;
    parked.is_problem(409, "not-settled", "");
    assert_eq!(parked.text("/saga_status"), "parked", "{}", parked.body);
    assert!(world.participants.state().orders[&order].returns.is_empty());
    let nobody = give_back(&world, &json!({"order_id": NOBODY}), "r", &json!({})).await;
    nobody.is_problem(404, "unknown-order", "order_id");
}

#[tokio::test]
async fn a_return_that_cannot_be_is_named() {
    let (world, checkout) = bought().await;
    for (body, status, slug, field) in [
        (json!({"items": [{"sku": "A", "quantity": 0}]}), 422, "invalid-field", "/items/0/quantity"),
        (json!({"items": [{"sku": "A", "quantity": -1}]}), 422, "invalid-field", "/items/0/quantity"),
        (json!({"items": [{"sku": "A", "quantity": 1_000_001}]}), 422, "invalid-field", "/items/0/quantity"),
        (json!({"items": [{"quantity": 1}]}), 400, "missing-field", "/items/0/sku"),
        (json!({"reason": "x".repeat(501)}), 422, "invalid-field", "/reason"),
        (json!({"reason": "4242424242424242"}), 422, "invalid-field", "/reason"),
        (json!({"make_good": true}), 400, "unknown-field", "/make_good"),
    ] {
        give_back(&world, &checkout, "r", &body).await.is_problem(status, slug, field);
    }
    let seven = give_back(&world, &json!({"order_id": "seven"}), "r", &json!({})).await;
    seven.is_problem(400, "invalid-id", "order_id");
    world.get("/api/v1/returns/seven").await.is_problem(400, "invalid-id", "return_id");
}

#[tokio::test]
async fn the_grpc_face_returns_by_the_same_rules() {
    let (world, checkout) = bought().await;
    let mut returns = ReturnsClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let order_id = checkout["order_id"].as_str().unwrap().to_owned();
    let ask = |key: &str, order_id: &str| StartReturnRequest {
        idempotency_key: key.into(),
        order_id: order_id.into(),
        wait_seconds: 30,
        ..Default::default()
    };
    let done = returns.start(ask("r", &order_id)).await.unwrap().into_inner();
    assert_eq!((done.status.as_str(), done.refund.clone().unwrap().amount_minor), ("completed", 1500));
    let seen =
        returns.get(GetReturnRequest { return_id: done.return_id.clone() }).await.unwrap().into_inner();
    assert_eq!(seen, done);
    assert_eq!(give_back(&world, &checkout, "r", &json!({})).await.text("/return_id"), done.return_id);
    for (asked, code, reason) in [
        (ask("", &order_id), Code::InvalidArgument, "INVALID_FIELD"),
        (ask("r2", NOBODY), Code::NotFound, "UNKNOWN_ORDER"),
        (ask("r2", "seven"), Code::InvalidArgument, "INVALID_ID"),
        (
            StartReturnRequest { reason: "other".into(), ..ask("r", &order_id) },
            Code::AlreadyExists,
            "KEY_REUSED",
        ),
        (
            StartReturnRequest { wait_seconds: 31, ..ask("r", &order_id) },
            Code::InvalidArgument,
            "INVALID_FIELD",
        ),
    ] {
        let status = returns.start(asked).await.unwrap_err();
        let told = status.get_error_details().error_info().unwrap().reason.clone();
        assert_eq!((status.code(), told.as_str()), (code, reason));
    }
}

/// A checkout that is parked after its capture; and where operators see it.
async fn stuck(world: &World) -> (Value, String) {
    world.participants.state().broken.insert("create_shipment");
    let parked = buy(world, "cart-1").await;
    assert_eq!(parked.text("/status"), "parked", "{}", parked.body);
    let path = format!("/operator/v1/sagas/{}", parked.text("/checkout_id"));
    (parked.body, path)
}

async fn make_good(world: &World, path: &str, seq: &Value) -> Answer {
    let decision = json!({"reason": "the warehouse has burnt down", "seq": seq});
    answer(world.request(Method::POST, &format!("{path}/make-good")).json(&decision).send().await.unwrap())
        .await
}

/// Waits until the checkout is in one of these states.
async fn until(world: &World, checkout: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/v1/checkouts/{}", checkout["checkout_id"].as_str().unwrap());
    let waiting = async {
        loop {
            let seen = world.get(&path).await.body;
            if wanted(&seen) {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.expect("in time")
}

#[tokio::test]
async fn what_cannot_be_delivered_is_made_good_and_the_checkout_completes() {
    let world = World::new().await;
    let (checkout, path) = stuck(&world).await;
    world.participants.hold("refund");
    let seq = world.get(&path).await.body["seq"].clone();
    let good = make_good(&world, &path, &seq).await;
    assert_eq!((good.status, good.text("/status")), (200, "parked"), "{}", good.body);
    assert!(good.text("/explanation").starts_with("Being made good by return"), "{}", good.body);
    let told = until(&world, &checkout, |seen| seen.get("made_good").is_some()).await;
    assert_eq!(told["parked"][0]["why"], "This cannot be delivered, and your money is being given back.");
    let back = told["made_good"].as_str().unwrap().to_owned();

    // Nothing else is done about it meanwhile.
    let seq = world.get(&path).await.body["seq"].clone();
    let twice = make_good(&world, &path, &seq).await;
    twice.is_problem(409, "being-made-good", "");
    assert_eq!(twice.text("/return_id"), back);
    let decision = json!({"reason": "repaired", "seq": seq});
    let resume = world.request(Method::POST, &format!("{path}/resume")).json(&decision);
    answer(resume.send().await.unwrap()).await.is_problem(409, "being-made-good", "");

    world.participants.release("refund");
    let done = until(&world, &checkout, |seen| seen["status"] == "completed").await;
    assert_eq!(done["made_good"], json!(back));
    let returned = world.get(&format!("/api/v1/returns/{back}")).await;
    assert_eq!(
        (returned.text("/status"), &returned.body["refund"]["amount_minor"]),
        ("completed", &json!(1500))
    );
    // A saga of its own, and no checkout.
    let saga = world.get(&format!("/operator/v1/sagas/{back}")).await;
    assert_eq!((saga.text("/definition"), saga.text("/status")), ("make_good", "completed"));
    world.get(&format!("/api/v1/checkouts/{back}")).await.is_problem(404, "unknown-checkout", "checkout_id");
    world.participants.called("let_go_cart", 1).await;
    let order = world.participants.state().orders.values().next().unwrap().clone();
    assert_eq!((order.returns.len(), order.returns[0].reason.as_str()), (1, "the warehouse has burnt down"));
    make_good(&world, &path, &json!(99)).await.is_problem(409, "not-parked", "");
}

#[tokio::test]
async fn a_checkout_whose_return_was_refused_is_its_persons_again() {
    let world = World::new().await;
    let (checkout, path) = stuck(&world).await;
    world.participants.state().no_refunds = true;
    let seq = world.get(&path).await.body["seq"].clone();
    make_good(&world, &path, &seq).await;
    let again = until(&world, &checkout, |seen| seen.get("made_good").is_none()).await;
    assert_eq!(again["status"], "parked", "{again}");
    let saga = world.get(&path).await;
    assert!(saga.text("/explanation").contains("REFUND_REFUSED"), "{}", saga.body);
    // It can be delivered after all.
    world.participants.state().broken.clear();
    let decision = json!({"reason": "found another warehouse", "seq": saga.body["seq"]});
    let resume = world.request(Method::POST, &format!("{path}/resume")).json(&decision);
    assert_eq!(resume.send().await.unwrap().status(), 200);
    let done = until(&world, &checkout, |seen| seen["status"] == "completed").await;
    assert_eq!(done.get("made_good"), None);
}

#[tokio::test]
async fn only_what_is_parked_after_its_capture_is_made_good() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("c", &[("A", 1)]);
    world.participants.state().broken.insert("authorize");
    let parked = world.checkout_final("k", &order_of("c")).await;
    let path = format!("/operator/v1/sagas/{}", parked.text("/checkout_id"));
    let seq = world.get(&path).await.body["seq"].clone();
    make_good(&world, &path, &seq).await.is_problem(409, "nothing-to-return", "");
    assert_eq!(world.get(&path).await.body["seq"], seq, "nothing was written");
    let nobody = format!("/operator/v1/sagas/{NOBODY}");
    make_good(&world, &nobody, &json!(1)).await.is_problem(404, "unknown-saga", "saga_id");
    make_good(&world, &path, &json!(0)).await.is_problem(422, "invalid-field", "/seq");
}
