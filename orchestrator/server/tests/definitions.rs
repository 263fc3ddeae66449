//! Versions of definitions on both faces: listed, switched for a reason on record, and waited for in sight.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use backstitch_core::{Catalog, Definition, DefinitionBuilder, Operation};
use backstitch_engine::Recovered;
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::checkout::GetCheckoutRequest;
use backstitch_proto::checkout::checkouts_client::CheckoutsClient;
use backstitch_proto::inventory::{ReleaseRequest, ReleaseResponse, ReserveRequest, ReserveResponse};
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{
    GetSagaRequest, ListDefinitionsRequest, ListSagasRequest, SwitchDefinitionRequest,
};
use backstitch_store::testing::MemoryStore;
use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Setup, World, answer, order_of};
use tonic::Code;
use tonic_types::StatusExt as _;

const RESERVE: Operation<ReserveRequest, ReserveResponse> = Operation::new("inventory", "Reserve");
const RELEASE: Operation<ReleaseRequest, ReleaseResponse> = Operation::new("inventory", "Release");
const WAITS_FOR: &str = "a node that has definition `checkout` version 2";

/// A checkout that only reserves.
fn second() -> Definition {
    let mut d = DefinitionBuilder::<CheckoutInput>::new("checkout", 2);
    d.step("reserve_stock", RESERVE)
        .request(|c, ()| ReserveRequest { reservation_id: c.saga.to_string(), items: Vec::new() })
        .compensated_by(RELEASE, |c| ReleaseRequest { reservation_id: c.saga.to_string() });
    d.build().unwrap()
}

fn first() -> Catalog {
    Catalog::default().with(backstitch_sagas::checkout().unwrap())
}

async fn node(name: &'static str, catalog: Catalog, store: &Arc<MemoryStore>) -> World {
    let world = World::with(Setup { node: name, catalog, store: store.clone(), ..Setup::default() }).await;
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 1)]);
    world.participants.cart("cart-2", &[("A", 1)]);
    world
}

async fn switch(world: &World, version: &str, decision: &Value) -> Answer {
    let path = format!("/operator/v1/definitions/checkout/versions/{version}");
    answer(world.request(Method::POST, &path).json(decision).send().await.unwrap()).await
}

/// Name, version and whether it is on, of each that is listed.
fn told(listed: &Answer) -> Vec<(&str, u64, bool)> {
    let all = listed.body["definitions"].as_array().unwrap();
    let one = |of: &'_ Value| (of["version"].as_u64().unwrap(), of["on"].as_bool().unwrap());
    all.iter().map(|of| (of["name"].as_str().unwrap(), one(of).0, one(of).1)).collect()
}

#[tokio::test]
async fn a_version_is_dark_until_it_is_switched_on_and_the_reason_is_on_record() {
    let world = node("a", first().with(second()), &Arc::default()).await;
    let listed = world.get("/operator/v1/definitions").await;
    assert_eq!(told(&listed), [("checkout", 1, true), ("checkout", 2, false)]);
    assert_eq!(listed.text("/definitions/0/switched/reason"), "the first version of its name");
    assert_eq!(
        (listed.text("/definitions/0/nodes/0/node"), listed.text("/definitions/0/fingerprint").len()),
        ("a", 64)
    );
    assert_eq!(
        (&listed.body["definitions"][1]["switched"], &listed.body["definitions"][1]["in_flight"]),
        (&Value::Null, &json!(0))
    );

    let dark = world.checkout_final("1", &order_of("cart-1")).await;
    assert!(!dark.text("/order_number").is_empty(), "version 1 makes orders: {}", dark.body);

    let on = switch(&world, "2", &json!({"on": true, "reason": "tried in staging"})).await;
    assert_eq!(
        (on.status, &on.body["on"], on.text("/switched/reason")),
        (200, &json!(true), "tried in staging")
    );
    let again = switch(&world, "2", &json!({"on": true, "reason": "once more"})).await;
    assert_eq!(
        (again.status, again.text("/switched/reason")),
        (200, "tried in staging"),
        "nothing was written"
    );

    world.participants.hold("reserve");
    let running = world.checkout("2", &order_of("cart-2")).await;
    let saga = world.get(&format!("/operator/v1/sagas/{}", running.text("/checkout_id"))).await;
    assert_eq!(saga.body["version"], 2);
    let off = switch(&world, "2", &json!({"on": false, "reason": "too slow"})).await;
    assert_eq!((&off.body["on"], &off.body["in_flight"]), (&json!(false), &json!(1)), "it goes on");
    world.participants.release("reserve");
    assert_eq!(world.checkout_final("2", &order_of("cart-2")).await.text("/status"), "completed");
}

#[tokio::test]
async fn what_lacks_for_switching_is_named() {
    let store = Arc::default();
    let world = node("new", first().with(second()), &store).await;
    let _old = node("old", first(), &store).await;
    let refused = switch(&world, "2", &json!({"on": true, "reason": "now"})).await;
    refused.is_problem(409, "not-everywhere", "version");
    assert_eq!(refused.body["nodes"], json!(["old"]));
    assert!(refused.text("/detail").contains("`checkout` version 2 is not on old"), "{}", refused.body);

    switch(&world, "3", &json!({"on": true, "reason": "now"})).await.is_problem(
        404,
        "unknown-definition",
        "version",
    );
    for (version, decision, status, slug, field) in [
        ("x", json!({"on": true, "reason": "now"}), 400, "invalid-parameter", "version"),
        ("4294967296", json!({"on": true, "reason": "now"}), 400, "invalid-parameter", "version"),
        ("2", json!({"reason": "now"}), 400, "missing-field", "/on"),
        ("2", json!({"on": "yes", "reason": "now"}), 400, "wrong-type", "/on"),
        ("2", json!({"on": true}), 400, "missing-field", "/reason"),
        ("2", json!({"on": true, "reason": ""}), 422, "invalid-field", "/reason"),
        ("2", json!({"on": true, "reason": "now", "by": "me"}), 400, "unknown-field", "/by"),
    ] {
        switch(&world, version, &decision).await.is_problem(status, slug, field);
    }
    assert_eq!(
        told(&world.get("/operator/v1/definitions").await),
        [("checkout", 1, true), ("checkout", 2, false)]
    );

    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let ask = |version, reason: &str| SwitchDefinitionRequest {
        name: "checkout".into(),
        version,
        on: true,
        reason: reason.into(),
    };
    let refused = operator.switch_definition(ask(2, "now")).await.unwrap_err();
    let info = refused.get_details_error_info().unwrap();
    assert_eq!((refused.code(), info.reason.as_str()), (Code::FailedPrecondition, "NOT_EVERYWHERE"));
    assert_eq!(info.metadata["nodes"], r#"["old"]"#);
    assert_eq!(operator.switch_definition(ask(9, "now")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(operator.switch_definition(ask(2, "")).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn grpc_lists_and_switches_as_http_does() {
    let world = node("a", first().with(second()), &Arc::default()).await;
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let ask = SwitchDefinitionRequest {
        name: "checkout".into(),
        version: 2,
        on: true,
        reason: "tried in staging".into(),
    };
    let switched = operator.switch_definition(ask).await.unwrap().into_inner();
    let listed = operator.list_definitions(ListDefinitionsRequest {}).await.unwrap().into_inner().definitions;
    assert_eq!(listed[1], switched);
    assert_eq!((switched.on, switched.switched_reason.as_str()), (true, "tried in staging"));
    let http = world.get("/operator/v1/definitions").await;
    assert_eq!(switched.fingerprint, http.text("/definitions/1/fingerprint"));
    assert_eq!(json!(switched.switched_at_unix_ms), http.body["definitions"][1]["switched"]["at_unix_ms"]);
    assert_eq!((listed.len(), switched.nodes[0].node.as_str(), switched.in_flight), (2, "a", 0));
}

#[tokio::test]
async fn a_checkout_waits_in_sight_for_a_node_that_has_its_version() {
    let store = Arc::default();
    let new = node("node", first().with(second()), &store).await;
    switch(&new, "2", &json!({"on": true, "reason": "now"})).await;
    new.participants.hold("reserve");
    let running = new.checkout("k", &order_of("cart-1")).await;
    let id = running.text("/checkout_id").to_owned();
    let (checkout, saga) = (format!("/api/v1/checkouts/{id}"), format!("/operator/v1/sagas/{id}"));
    new.participants.called("reserve", 1).await;
    assert_eq!(new.get(&checkout).await.body.get("waits_for"), None);

    // The node is downgraded.
    let old = node("node", first(), &store).await;
    assert_eq!(old.engine.recover().await.unwrap(), Recovered { stranded: 1, ..Recovered::default() });
    let seen = old.get(&checkout).await;
    assert_eq!((seen.status, seen.text("/status"), seen.text("/waits_for")), (200, "running", WAITS_FOR));
    let seen = old.get(&saga).await;
    assert_eq!((seen.text("/status"), seen.text("/waits_for")), ("running", WAITS_FOR));
    assert_eq!((seen.text("/records/0/kind"), &seen.body["steps"]), ("started", &json!([])));
    let listed = old.get("/operator/v1/sagas").await;
    assert_eq!(listed.text("/sagas/0/waits_for"), WAITS_FOR);
    old.post(&format!("{checkout}/cancel")).await.is_problem(409, "unreadable", "");

    let mut operator = OperatorClient::new(backstitch_server::channel(&old.grpc).unwrap());
    let same = operator.get_saga(GetSagaRequest { saga_id: id.clone() }).await.unwrap().into_inner();
    assert_eq!(same.summary.unwrap().waits_for, WAITS_FOR);
    let same = operator.list_sagas(ListSagasRequest::default()).await.unwrap().into_inner();
    assert_eq!(same.sagas[0].waits_for, WAITS_FOR);
    let mut checkouts = CheckoutsClient::new(backstitch_server::channel(&old.grpc).unwrap());
    let same = checkouts.get(GetCheckoutRequest { checkout_id: id.clone() }).await.unwrap().into_inner();
    assert_eq!(same.waits_for, WAITS_FOR);

    // It is not ready while version 2 is on, and takes new checkouts with version 1 all the same.
    let ready = old.get("/readyz").await;
    ready.is_problem(503, "not-ready", "");
    let part = &ready.body["parts"][0];
    assert_eq!(part["part"], "definition `checkout` version 2");
    assert!(part["why"].as_str().unwrap().contains("deploy it here or switch it off"), "{part}");
    assert_eq!(old.checkout_final("k2", &order_of("cart-2")).await.text("/status"), "completed");
    switch(&old, "2", &json!({"on": false, "reason": "taken back"})).await;
    assert_eq!(old.get("/readyz").await.status, 200, "dark versions do not matter");

    // It is upgraded again.
    let back = node("node", first().with(second()), &store).await;
    assert_eq!(back.engine.recover().await.unwrap(), Recovered { adopted: 1, ..Recovered::default() });
    let done = answer(
        back.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30").send().await.unwrap(),
    );
    let done = done.await;
    assert_eq!((done.text("/status"), done.body.get("waits_for")), ("completed", None));
    assert_eq!(old.get(&checkout).await.text("/status"), "completed", "and the old one says so too");
    assert_eq!(old.get(&saga).await.body.get("waits_for"), None, "what has ended waits for nobody");
}

#[tokio::test]
async fn with_every_version_off_new_checkouts_are_refused_and_say_why() {
    let world = node("a", first(), &Arc::default()).await;
    switch(&world, "1", &json!({"on": false, "reason": "closed for the night"})).await;
    let refused = world.checkout("k", &order_of("cart-1")).await;
    refused.is_problem(503, "not-ready", "");
    let way_out = "backstitch definitions switch-on checkout 1 --reason";
    assert!(refused.text("/detail").contains(way_out), "{}", refused.body);
    // Every node refuses them, and what is under way goes on.
    let ready = world.get("/readyz").await;
    assert_eq!((ready.status, ready.text("/status")), (200, "degraded"));
    assert_eq!(ready.text("/parts/0/part"), "definition `checkout`");
    assert!(ready.text("/parts/0/why").contains(way_out), "{}", ready.body);
    switch(&world, "1", &json!({"on": true, "reason": "open"})).await;
    assert_eq!(world.get("/readyz").await.body, json!({"status": "ready"}));
    assert_eq!(world.checkout_final("k", &order_of("cart-1")).await.text("/status"), "completed");
}

#[tokio::test]
async fn which_of_several_dark_versions_to_switch_on_is_for_a_person_to_say() {
    let world = node("a", first().with(second()), &Arc::default()).await;
    switch(&world, "1", &json!({"on": false, "reason": "closed for the night"})).await;
    let refused = world.checkout("k", &order_of("cart-1")).await;
    refused.is_problem(503, "not-ready", "");
    assert!(refused.text("/detail").contains("switch-on checkout VERSION --reason"), "{}", refused.body);
}
