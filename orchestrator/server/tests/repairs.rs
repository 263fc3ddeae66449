//! Repairs of what nobody owns at the payment provider, and cases of refunds that failed late.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, SystemTime};

use backstitch_proto::operator::OpenCaseRequest;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::payment::Case;
use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, World, answer, order_of};
use tonic::Code;
use uuid::Uuid;

async fn post(world: &World, path: &str, body: &Value) -> Answer {
    answer(world.request(Method::POST, path).json(body).send().await.unwrap()).await
}

async fn repair(world: &World, body: &Value) -> Answer {
    post(world, "/operator/v1/repairs", body).await
}

fn object(saga: Option<&str>) -> Value {
    json!({"provider_id": "pi_7", "state": "captured", "saga_id": saga, "reason": "no order has it"})
}

/// The id of a saga that would have begun so long ago.
fn born_before(age: Duration) -> String {
    let at = (SystemTime::now() - age).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let at = uuid::Timestamp::from_unix(uuid::NoContext, at.as_secs(), at.subsec_nanos());
    Uuid::new_v7(at).to_string()
}

/// The saga's document once it has this status.
async fn until(world: &World, saga: &str, status: &str) -> Answer {
    let waiting = async {
        loop {
            let seen = world.get(&format!("/operator/v1/sagas/{saga}")).await;
            if seen.text("/status") == status {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time")
}

#[tokio::test]
async fn an_object_in_a_state_is_repaired_once() {
    let world = World::new().await;
    let started = repair(&world, &object(None)).await;
    assert_eq!((started.status, started.text("/definition")), (202, "repair"), "{}", started.body);
    let id = started.text("/saga_id").to_owned();
    until(&world, &id, "completed").await;
    let mut again = object(None);
    again["reason"] = json!("found again");
    assert_eq!(repair(&world, &again).await.text("/saga_id"), id);
    let mut other = object(None);
    other["state"] = json!("authorized");
    assert_ne!(repair(&world, &other).await.text("/saga_id"), id);
    world.participants.called("take_back_object", 2).await;
    // No customer sees it.
    for path in ["checkouts", "returns"] {
        assert_eq!(world.get(&format!("/api/v1/{path}/{id}")).await.status, 404);
    }
}

#[tokio::test]
async fn what_a_saga_may_still_settle_is_not_repaired() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("c", &[("A", 1)]);
    world.participants.hold("capture");
    let live = world.checkout("k", &order_of("c")).await.text("/checkout_id").to_owned();
    world.participants.called("capture", 1).await;
    let refused = repair(&world, &object(Some(&live))).await;
    refused.is_problem(409, "not-settled", "/saga_id");
    assert_eq!(refused.text("/saga_id"), live);

    world.participants.state().broken.insert("create_shipment");
    world.participants.release("capture");
    until(&world, &live, "parked").await;
    repair(&world, &object(Some(&live))).await.is_problem(409, "not-settled", "/saga_id");

    // Not known, and no older than sagas are kept: perhaps on its way.
    let month = Duration::from_secs(30 * 24 * 3600);
    for young in [born_before(Duration::ZERO), born_before(month - Duration::from_secs(60))] {
        repair(&world, &object(Some(&young))).await.is_problem(409, "not-settled", "/saga_id");
    }
    assert!(
        world.get("/operator/v1/sagas?definition=repair").await.body["sagas"].as_array().unwrap().is_empty()
    );

    let old = born_before(month + Duration::from_secs(60));
    assert_eq!(repair(&world, &object(Some(&old))).await.status, 202);
}

#[tokio::test]
async fn what_an_ended_saga_has_left_is_repaired_in_its_family() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("c", &[("A", 1)]);
    let done = world.checkout_final("k", &order_of("c")).await;
    let checkout = done.text("/checkout_id");
    let started = repair(&world, &object(Some(checkout))).await;
    let id = started.text("/saga_id").to_owned();
    until(&world, &id, "completed").await;
    let view = world.engine.view(id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(view.state.start.root, checkout.parse::<Uuid>().unwrap());
}

/// A return of everything, and where the order's returns are.
async fn give_back(world: &World, checkout: &Answer, key: &str) -> String {
    let path = format!("/api/v1/orders/{}/returns", checkout.text("/order_id"));
    let request = world.request(Method::POST, &path).header("Idempotency-Key", key).json(&json!({}));
    answer(request.send().await.unwrap()).await.text("/return_id").to_owned()
}

#[tokio::test]
async fn what_a_family_may_be_giving_back_is_not_repaired() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("c", &[("A", 1)]);
    let done = world.checkout_final("k", &order_of("c")).await;
    let checkout = done.text("/checkout_id");
    world.participants.hold("refund");
    let back = give_back(&world, &done, "r").await;
    world.participants.called("refund", 1).await;
    let is_refused = async |status: &str| {
        let refused = repair(&world, &object(Some(checkout))).await;
        refused.is_problem(409, "not-settled", "/saga_id");
        assert_eq!((refused.text("/saga_id"), refused.text("/saga_status")), (back.as_str(), status));
    };
    is_refused("running").await;
    world.participants.state().broken.insert("refund");
    world.participants.release("refund");
    until(&world, &back, "parked").await;
    is_refused("parked").await;
    let repairs = world.get("/operator/v1/sagas?definition=repair").await;
    assert_eq!(repairs.body["sagas"], json!([]));

    world.participants.state().broken.clear();
    let seq = world.get(&format!("/operator/v1/sagas/{back}")).await.body["seq"].clone();
    let resumed = json!({"reason": "the service is whole again", "seq": seq});
    assert_eq!(post(&world, &format!("/operator/v1/sagas/{back}/resume"), &resumed).await.status, 200);
    until(&world, &back, "completed").await;
    world.participants.hold("take_back_object");
    let started = repair(&world, &object(Some(checkout))).await;
    assert_eq!(started.status, 202, "{}", started.body);
    // One repair at a time; the same one is found while it is under way.
    let mut held = object(Some(checkout));
    held["state"] = json!("authorized");
    repair(&world, &held).await.is_problem(409, "not-settled", "/saga_id");
    let again = repair(&world, &object(Some(checkout))).await;
    assert_eq!(again.text("/saga_id"), started.text("/saga_id"), "{}", again.body);
    world.participants.release("take_back_object");
    until(&world, started.text("/saga_id"), "completed").await;

    // A person who settles a case may give back as well.
    let case = Uuid::now_v7().to_string();
    let of_it = Case { case_id: case.clone(), root_id: checkout.to_owned(), ..Default::default() };
    world.participants.state().cases.insert(case.clone(), of_it);
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let ask = OpenCaseRequest { case_id: case.clone(), root_id: checkout.to_owned() };
    let opened = operator.open_case(ask).await.unwrap().into_inner().summary.unwrap().saga_id;
    until(&world, &opened, "parked").await;
    let refused = repair(&world, &held).await;
    refused.is_problem(409, "not-settled", "/saga_id");
    assert_eq!((refused.text("/saga_id"), refused.text("/saga_status")), (opened.as_str(), "parked"));
    let path = format!("/operator/v1/cases/{case}/resolution");
    assert_eq!(post(&world, &path, &json!({"resolution": "bank transfer 7"})).await.status, 200);
    until(&world, &opened, "completed").await;
    assert_eq!(repair(&world, &held).await.status, 202);
}

#[tokio::test]
async fn a_repair_that_cannot_be_is_named() {
    let world = World::new().await;
    let edited = |member: &str, value: Value| {
        let mut body = object(None);
        body[member] = value;
        body
    };
    for (body, status, slug, field) in [
        (edited("provider_id", json!("")), 422, "invalid-field", "/provider_id"),
        (edited("provider_id", json!("x".repeat(201))), 422, "invalid-field", "/provider_id"),
        (edited("state", json!("cancelled")), 422, "invalid-field", "/state"),
        (edited("reason", json!("")), 422, "invalid-field", "/reason"),
        (edited("saga_id", json!("seven")), 400, "invalid-id", "/saga_id"),
        (edited("saga_id", json!(Uuid::from_u128(7).to_string())), 422, "invalid-field", "/saga_id"),
        (edited("amount", json!(7)), 400, "unknown-field", "/amount"),
        (json!({"provider_id": "pi_7", "state": "captured"}), 400, "missing-field", "/reason"),
    ] {
        repair(&world, &body).await.is_problem(status, slug, field);
    }
}

#[tokio::test]
async fn a_case_without_a_saga_of_its_own_sets_the_saga_going_that_is_being_undone() {
    let world = World::new().await;
    let case = |id: Uuid, root: String| Case { case_id: id.to_string(), root_id: root, ..Default::default() };
    // Any saga that is parked will do for the one that is being undone.
    let (parks, root) = (Uuid::now_v7(), Uuid::now_v7().to_string());
    world.participants.state().cases.insert(parks.to_string(), case(parks, root.clone()));
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let ask = OpenCaseRequest { case_id: parks.to_string(), root_id: root };
    let saga = operator.open_case(ask).await.unwrap().into_inner().summary.unwrap().saga_id;
    until(&world, &saga, "parked").await;
    let undos = Uuid::now_v7();
    world.participants.state().cases.insert(undos.to_string(), case(undos, saga.clone()));
    world.participants.state().cases.get_mut(&parks.to_string()).unwrap().resolution = "as that one".into();

    let path = format!("/operator/v1/cases/{undos}/resolution");
    for _ in 0..2 {
        assert_eq!(post(&world, &path, &json!({"resolution": "bank transfer 8"})).await.status, 200);
        until(&world, &saga, "completed").await;
    }
}

#[tokio::test]
async fn a_case_stays_parked_until_a_person_has_written_down_how_it_was_settled() {
    let world = World::new().await;
    let (case, root) = (Uuid::now_v7(), Uuid::now_v7());
    let told = Case {
        case_id: case.to_string(),
        root_id: root.to_string(),
        why: "account closed".into(),
        ..Default::default()
    };
    world.participants.state().cases.insert(case.to_string(), told);
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let ask = OpenCaseRequest { case_id: case.to_string(), root_id: root.to_string() };
    let opened = operator.open_case(ask.clone()).await.unwrap().into_inner().summary.unwrap();
    assert_eq!(opened.definition, "refund_case");
    let again = operator.open_case(ask).await.unwrap().into_inner().summary.unwrap();
    assert_eq!(again.saga_id, opened.saga_id, "the same case is the same saga");
    let parked = until(&world, &opened.saga_id, "parked").await;
    assert_eq!(parked.text("/parked/0/by"), "fault");

    let listed = world.get("/operator/v1/cases?open=true").await;
    assert_eq!(
        (listed.text("/cases/0/case_id"), listed.text("/cases/0/why")),
        (case.to_string().as_str(), "account closed")
    );
    let path = format!("/operator/v1/cases/{case}/resolution");
    post(&world, &path, &json!({"resolution": ""})).await.is_problem(422, "invalid-field", "/resolution");
    let resolved = post(&world, &path, &json!({"resolution": "bank transfer 7"})).await;
    assert_eq!(
        (resolved.status, resolved.text("/resolution")),
        (200, "bank transfer 7"),
        "{}",
        resolved.body
    );
    until(&world, &opened.saga_id, "completed").await;
    assert_eq!(world.get("/operator/v1/cases?open=true").await.body, json!({"cases": []}));
    assert_eq!(world.get("/operator/v1/cases").await.body["cases"].as_array().unwrap().len(), 1);
    // Again, and otherwise.
    assert_eq!(post(&world, &path, &json!({"resolution": "bank transfer 7"})).await.status, 200);
    post(&world, &path, &json!({"resolution": "cash"})).await.is_problem(409, "conflict", "");
    let nobody = format!("/operator/v1/cases/{}/resolution", Uuid::now_v7());
    post(&world, &nobody, &json!({"resolution": "x"})).await.is_problem(404, "unknown-case", "case_id");
    world.get("/operator/v1/cases?open=perhaps").await.is_problem(400, "invalid-parameter", "open");
    let first = world.get("/operator/v1/cases?page_size=1").await;
    assert_eq!(first.text("/next_cursor"), case.to_string(), "there may be more");
    let rest = world.get(&format!("/operator/v1/cases?page_size=1000&cursor={case}")).await;
    assert_eq!(rest.body, json!({"cases": []}));
    for size in ["0", "1001"] {
        let path = format!("/operator/v1/cases?page_size={size}");
        world.get(&path).await.is_problem(400, "invalid-parameter", "page_size");
    }
    world.get("/operator/v1/cases?cursor=seven").await.is_problem(400, "invalid-id", "cursor");
    let bad = OpenCaseRequest { case_id: "seven".into(), root_id: root.to_string() };
    assert_eq!(operator.open_case(bad).await.unwrap_err().code(), Code::InvalidArgument);
}
