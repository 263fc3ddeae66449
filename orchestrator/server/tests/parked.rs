//! What waits for a person: told to the customer and to the operator, and set going again.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{GetSagaRequest, ResumeSagaRequest};
use serde_json::{Value, json};
use support::{Answer, World, answer, order_of};
use tonic::Code;
use tonic_types::StatusExt as _;

const NOBODY: &str = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";

/// A world with a checkout that is parked because this action is broken, and where operators see it.
async fn parked_at(action: &'static str) -> (World, String) {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 2)]);
    world.participants.state().broken.insert(action);
    let parked = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(parked.text("/status"), "parked", "{}", parked.body);
    let path = format!("/operator/v1/sagas/{}", parked.text("/checkout_id"));
    (world, path)
}

async fn resume(world: &World, path: &str, decision: &Value) -> Answer {
    let request = world.request(reqwest::Method::POST, &format!("{path}/resume")).json(decision);
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_parked_saga_is_set_going_by_a_decision_on_its_last_record() {
    let (world, path) = parked_at("create_shipment").await;
    let seen = world.get(&path).await.body["seq"].as_u64().unwrap();
    world.participants.state().broken.clear();

    let stale = resume(&world, &path, &json!({"reason": "repaired", "seq": seen - 1})).await;
    stale.is_problem(409, "moved-on", "");
    assert_eq!((&stale.body["decided_on"], &stale.body["seq"]), (&json!(seen - 1), &json!(seen)));
    assert_eq!(world.get(&path).await.body["seq"], seen, "nothing was written");

    let resumed = resume(&world, &path, &json!({"reason": "repaired", "seq": seen})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    let record = &resumed.body["records"][usize::try_from(seen).unwrap()];
    assert_eq!((&record["kind"], &record["detail"]), (&json!("resumed"), &json!("repaired")));
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");

    let last = world.get(&path).await.body["seq"].clone();
    resume(&world, &path, &json!({"reason": "once more", "seq": last})).await.is_problem(
        409,
        "not-parked",
        "",
    );
}

#[tokio::test]
async fn two_decisions_on_one_record_do_not_both_count() {
    let (world, path) = parked_at("create_shipment").await;
    let seq = world.get(&path).await.body["seq"].clone();
    let decision = json!({"reason": "repaired", "seq": seq});
    let (one, other) = tokio::join!(resume(&world, &path, &decision), resume(&world, &path, &decision));
    let (late, taken) = if one.status == 409 { (one, other) } else { (other, one) };
    assert_eq!(taken.status, 200, "{}", taken.body);
    late.is_problem(409, "moved-on", "");
}

#[tokio::test]
async fn what_is_not_parked_is_not_resumed() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 2)]);
    world.participants.hold("authorize");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let path = format!("/operator/v1/sagas/{}", accepted.text("/checkout_id"));
    // What its task has decided may not be durable yet, and so not shown: then it has moved on.
    let told = loop {
        let seq = world.get(&path).await.body["seq"].clone();
        let told = resume(&world, &path, &json!({"reason": "to hurry it", "seq": seq})).await;
        if told.text("/type") != "/problems/moved-on" {
            break told;
        }
    };
    told.is_problem(409, "not-parked", "");
    world.participants.release("authorize");
}

#[tokio::test]
async fn a_decision_needs_a_reason_and_a_record() {
    let (world, path) = parked_at("create_shipment").await;
    let seq = world.get(&path).await.body["seq"].clone();
    for (decision, status, slug, field) in [
        (json!({"seq": seq}), 400, "missing-field", "/reason"),
        (json!({"reason": "repaired"}), 400, "missing-field", "/seq"),
        (json!({"reason": "repaired", "seq": "7"}), 400, "wrong-type", "/seq"),
        (json!({"reason": "repaired", "seq": seq, "force": true}), 400, "unknown-field", "/force"),
        (json!({"reason": "", "seq": seq}), 422, "invalid-field", "/reason"),
        (json!({"reason": "a\nb", "seq": seq}), 422, "invalid-field", "/reason"),
        (json!({"reason": "x".repeat(501), "seq": seq}), 422, "invalid-field", "/reason"),
        (json!({"reason": "repaired", "seq": 0}), 422, "invalid-field", "/seq"),
        (json!({"reason": "repaired", "seq": 1_u64 << 32}), 422, "invalid-field", "/seq"),
    ] {
        resume(&world, &path, &decision).await.is_problem(status, slug, field);
    }
    let good = json!({"reason": "repaired", "seq": seq});
    resume(&world, "/operator/v1/sagas/seven", &good).await.is_problem(400, "invalid-id", "saga_id");
    let nobody = format!("/operator/v1/sagas/{NOBODY}");
    resume(&world, &nobody, &good).await.is_problem(404, "unknown-saga", "saga_id");
    assert_eq!(world.get(&path).await.body["seq"], seq, "nothing was written");
}

#[tokio::test]
async fn the_grpc_face_resumes_by_the_same_rules() {
    let (world, path) = parked_at("create_shipment").await;
    world.participants.state().broken.clear();
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let saga_id = path.rsplit('/').next().unwrap().to_owned();
    let asked = GetSagaRequest { saga_id: saga_id.clone() };
    let seq = operator.get_saga(asked).await.unwrap().into_inner().seq;
    let decide = |saga_id: &str, reason: &str, seq: i32| ResumeSagaRequest {
        saga_id: saga_id.to_owned(),
        reason: reason.to_owned(),
        seq,
    };
    for (bad, code, reason) in [
        (decide(&saga_id, "", seq), Code::InvalidArgument, "INVALID_FIELD"),
        (decide(&saga_id, "repaired", 0), Code::InvalidArgument, "INVALID_FIELD"),
        (decide(NOBODY, "repaired", seq), Code::NotFound, "UNKNOWN_SAGA"),
        (decide(&saga_id, "repaired", seq + 1), Code::Aborted, "MOVED_ON"),
    ] {
        let status = operator.resume_saga(bad).await.unwrap_err();
        let told = status.get_error_details().error_info().unwrap().reason.clone();
        assert_eq!((status.code(), told.as_str()), (code, reason));
    }
    let resumed = operator.resume_saga(decide(&saga_id, "repaired", seq)).await.unwrap().into_inner();
    assert!(resumed.seq > seq && resumed.records.iter().any(|record| record.kind == "resumed"));
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let last = operator.get_saga(GetSagaRequest { saga_id: saga_id.clone() }).await.unwrap().into_inner().seq;
    let late = operator.resume_saga(decide(&saga_id, "repaired", last)).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
}

/// The members of the one thing that is parked, for the customer and for the operator.
async fn told(world: &World, path: &str) -> (Value, Value) {
    let saga = world.get(path).await.body;
    let checkout = world.get(&format!("/api/v1/checkouts/{}", saga["saga_id"].as_str().unwrap())).await.body;
    for document in [&checkout, &saga] {
        assert_eq!(document["status"], "parked");
        assert_eq!(document["parked"].as_array().unwrap().len(), 1, "{document}");
    }
    (checkout["parked"][0].clone(), saga["parked"][0].clone())
}

#[tokio::test]
async fn a_customer_is_told_of_their_money_and_an_operator_of_the_reason() {
    for (action, step, money) in [
        ("authorize", "authorize_payment", "you have not been charged. A person"),
        ("capture", "capture_payment", "do not pay again."),
        ("create_shipment", "create_shipment", "Your payment has gone through"),
    ] {
        let (world, path) = parked_at(action).await;
        let (customer, operator) = told(&world, &path).await;
        assert_eq!((&customer["step"], &operator["step"]), (&json!(step), &json!(step)));
        assert!(customer["why"].as_str().unwrap().contains(money), "{customer}");
        assert!(!customer.to_string().contains("ledger"), "{customer}");
        assert!(operator["why"].as_str().unwrap().contains("the ledger does not open"), "{operator}");
        assert_eq!((&operator["undo"], &operator["by"]), (&json!(false), &json!("fault")));
        assert_eq!(customer["since_unix_ms"], operator["since_unix_ms"]);
        let saga = world.get(&path).await.body;
        let records = saga["records"].as_array().unwrap();
        let parked = records.iter().find(|record| record["kind"] == "step_parked").unwrap();
        assert_eq!(parked["at_unix_ms"], operator["since_unix_ms"]);
        assert!(saga["explanation"].as_str().unwrap().contains(&format!("{step} is parked")), "{saga}");
    }
}

#[tokio::test]
async fn a_parked_undo_is_told_as_one() {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 2)]);
    world.participants.state().broken.insert("release");
    let mut body = order_of("cart-1");
    body["payment_method"] = json!("tok_declined");
    let parked = world.checkout_final("k", &body).await;
    assert_eq!(parked.text("/refusal/reason"), "CARD_DECLINED");
    let path = format!("/operator/v1/sagas/{}", parked.text("/checkout_id"));
    let (customer, operator) = told(&world, &path).await;
    assert_eq!((&operator["step"], &operator["undo"]), (&json!("reserve_stock"), &json!(true)));
    assert!(customer["why"].as_str().unwrap().contains("you are not charged"), "{customer}");
}

#[tokio::test]
async fn events_tell_of_parking_and_of_what_comes_after_it() {
    let (world, path) = parked_at("create_shipment").await;
    let id = path.rsplit('/').next().unwrap();
    let events =
        world.request(reqwest::Method::GET, &format!("/api/v1/checkouts/{id}/events")).send().await.unwrap();
    world.participants.state().broken.clear();
    let seq = world.get(&path).await.body["seq"].clone();
    assert_eq!(resume(&world, &path, &json!({"reason": "repaired", "seq": seq})).await.status, 200);
    let text = events.text().await.unwrap();
    let documents: Vec<Value> = text
        .lines()
        .filter_map(|l| l.strip_prefix("data: "))
        .map(|d| serde_json::from_str(d).unwrap())
        .collect();
    let (first, last) = (documents.first().unwrap(), documents.last().unwrap());
    assert_eq!(
        (&first["status"], &first["parked"][0]["step"]),
        (&json!("parked"), &json!("create_shipment"))
    );
    assert_eq!((&last["status"], last.get("parked")), (&json!("completed"), None));
}
