//! Several nodes over one store: any of them answers for any checkout, and verbs reach the one that has it.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use backstitch_engine::Standing;
use backstitch_proto::checkout::CancelCheckoutRequest;
use backstitch_proto::checkout::checkouts_client::CheckoutsClient;
use backstitch_store::Store as _;
use backstitch_store::testing::MemoryStore;
use reqwest::Method;
use serde_json::json;
use support::{NOWHERE, Setup, World, answer, order_of};
use tokio::net::TcpListener;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

const TERM: Duration = Duration::from_secs(1);

fn shards(world: &World) -> usize {
    match world.engine.standing() {
        Standing::Sharing { shards, .. } => shards,
        _ => 0,
    }
}

/// Waits for something that comes by itself.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(TERM * 10, waiting).await.is_ok(), "it did not come: {what}");
}

/// Two nodes with two shards each. The first may advertise another address than its own.
async fn two(advertise: Option<&'static str>) -> (World, World) {
    let store = Arc::new(MemoryStore::new(4));
    let setup = Setup { node: "a", store: store.clone(), sharing: Some(TERM), advertise, ..Setup::default() };
    let a = World::with(setup).await;
    let participants = Some((a.participants.clone(), a.participants_at.clone()));
    let b =
        World::with(Setup { node: "b", store, sharing: Some(TERM), participants, ..Setup::default() }).await;
    until("each has its share", async || (shards(&a), shards(&b)) == (2, 2)).await;
    a.participants.product("A", "GBP");
    a.participants.cart("cart-1", &[("A", 2)]);
    (a, b)
}

#[tokio::test]
async fn any_node_tells_how_a_checkout_stands_and_how_it_ends() {
    let (a, b) = two(None).await;
    a.participants.hold("authorize");
    let accepted = a.checkout("k", &order_of("cart-1")).await;
    let location = accepted.header("location").to_owned();
    a.participants.called("authorize", 1).await;
    let seen = b.get(&location).await;
    assert_eq!((seen.status, seen.text("/status")), (200, "running"));
    let listed = b.get("/operator/v1/sagas").await;
    assert_eq!(listed.body["sagas"][0]["saga_id"], accepted.body["checkout_id"]);
    let detail = format!("/operator/v1/sagas/{}", accepted.text("/checkout_id"));
    until("b has seen who has it", async || {
        b.get(&detail).await.text("/explanation").contains("Node `a` has it")
    })
    .await;

    // Somebody waits at b, by a retry under the same key and by following it.
    let order = order_of("cart-1");
    let waits = b.checkout_final("k", &order);
    let follows = b.request(Method::GET, &format!("{location}/events")).send();
    let release = async { a.participants.release("authorize") };
    let (waited, followed, ()) = tokio::join!(waits, follows, release);
    assert_eq!((waited.status, waited.text("/status")), (200, "completed"), "{}", waited.body);
    let told = followed.unwrap().text().await.unwrap();
    assert!(told.contains("\"status\":\"completed\""), "{told}");
    assert_eq!(b.get(&location).await.body, waited.body);
}

#[tokio::test]
async fn who_waits_at_another_node_hears_at_once_that_the_customer_has_to_act() {
    let (a, b) = two(None).await;
    a.participants.state().customer_acts = true;
    a.participants.hold("authorize");
    a.checkout("k", &order_of("cart-1")).await;
    let order = order_of("cart-1");
    let waits = b.checkout_final("k", &order);
    let release = async { a.participants.release("authorize") };
    let (waited, ()) = tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(waits, release) })
        .await
        .expect("long before the 30 seconds are over");
    assert_eq!(waited.text("/status"), "waiting", "{}", waited.body);
}

#[tokio::test]
async fn a_cancel_is_handed_on_to_the_owner() {
    let (a, b) = two(None).await;
    a.participants.hold("authorize");
    let accepted = a.checkout("k", &order_of("cart-1")).await;
    a.participants.called("authorize", 1).await;
    let path = format!("{}/cancel", accepted.header("location"));
    let cancelled = b.post(&path).await;
    assert_eq!((cancelled.status, cancelled.text("/status")), (202, "compensating"), "{}", cancelled.body);
    a.participants.release("authorize");
    let ended = b.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(ended.text("/status"), "compensated", "{}", ended.body);
    assert_eq!(b.post(&path).await.status, 200, "what has ended needs nobody");
}

#[tokio::test]
async fn a_key_is_given_up_at_any_node_and_the_reason_is_kept() {
    let (a, b) = two(None).await;
    a.participants.hold("authorize");
    let accepted = a.checkout("k", &order_of("cart-1")).await;
    a.participants.called("authorize", 1).await;
    let request = b.request(Method::DELETE, "/api/v1/checkouts?key=k");
    let given_up = answer(request.send().await.unwrap()).await;
    assert!(given_up.status < 300, "{}", given_up.body);
    a.participants.release("authorize");
    let detail = b.get(&format!("/operator/v1/sagas/{}", accepted.text("/checkout_id"))).await;
    let records = detail.body["records"].as_array().unwrap();
    let turned_back = records.iter().find(|record| record["kind"] == "turned_back").unwrap();
    assert_eq!(turned_back["detail"], "cancelled: its idempotency key was given up");
}

#[tokio::test]
async fn what_the_owner_refuses_is_told_as_it_says_it() {
    let (a, b) = two(None).await;
    a.participants.state().broken.insert("create_shipment");
    let parked = a.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(parked.text("/status"), "parked", "{}", parked.body);
    let path = format!("/operator/v1/sagas/{}", parked.text("/checkout_id"));
    let seq = b.get(&path).await.body["seq"].as_u64().unwrap();
    a.participants.state().broken.clear();
    let resume = async |seq: u64| {
        let body = json!({"reason": "repaired", "seq": seq});
        let request = b.request(Method::POST, &format!("{path}/resume")).json(&body);
        answer(request.send().await.unwrap()).await
    };
    let stale = resume(seq - 1).await;
    stale.is_problem(409, "moved-on", "");
    assert_eq!((&stale.body["decided_on"], &stale.body["seq"]), (&json!(seq - 1), &json!(seq)));
    let resumed = resume(seq).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    let done = b.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let cancel = b.post(&format!("{}/cancel", done.header("location"))).await;
    cancel.is_problem(409, "too-late-to-cancel", "");
}

#[tokio::test]
async fn a_wake_up_is_handed_on_to_the_owner() {
    let (a, b) = two(None).await;
    a.participants.state().customer_acts = true;
    let waiting = a.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(waiting.text("/status"), "waiting", "{}", waiting.body);
    a.participants.state().customer_acts = false;
    let woken = b.post(&format!("{}/wake", waiting.header("location"))).await;
    assert!(woken.status < 300, "{}", woken.body);
    until("it goes on long before it would have asked by itself", async || {
        b.get(waiting.header("location")).await.text("/status") == "completed"
    })
    .await;
}

#[tokio::test]
async fn an_owner_that_cannot_be_called_is_a_clear_answer_with_a_hint() {
    let (a, b) = two(Some(NOWHERE)).await;
    a.participants.hold("authorize");
    let accepted = a.checkout("k", &order_of("cart-1")).await;
    a.participants.called("authorize", 1).await;
    let refused = b.post(&format!("{}/cancel", accepted.header("location"))).await;
    refused.is_problem(503, "unavailable", "");
    assert_eq!((refused.text("/part"), refused.header("retry-after")), ("owner", "1"));
    assert!(refused.text("/detail").contains("takes it over when its lease ends"), "{}", refused.body);
    // Reading needs no owner.
    assert_eq!(b.get(accepted.header("location")).await.text("/status"), "running");
    a.participants.release("authorize");
}

#[tokio::test]
async fn what_was_handed_on_is_not_handed_on_again() {
    let (a, b) = two(None).await;
    a.participants.hold("authorize");
    let accepted = a.checkout("k", &order_of("cart-1")).await;
    a.participants.called("authorize", 1).await;
    let mut checkouts = CheckoutsClient::connect(b.grpc.clone()).await.unwrap();
    let checkout_id = accepted.text("/checkout_id").to_owned();
    let mut request = Request::new(CancelCheckoutRequest { checkout_id: checkout_id.clone() });
    request.metadata_mut().insert("x-backstitch-handed-on", "1".parse().unwrap());
    let status = checkouts.cancel(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_details_error_info().unwrap().metadata["part"], "owner");
    // By a client's own request it is.
    let cancelled = checkouts.cancel(CancelCheckoutRequest { checkout_id }).await.unwrap().into_inner();
    assert_eq!(cancelled.status, "compensating");
    a.participants.release("authorize");
}

#[tokio::test]
async fn a_verb_waits_for_a_shard_that_changes_hands() {
    let (a, b) = two(None).await;
    a.participants.state().customer_acts = true;
    let waiting = a.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(waiting.text("/status"), "waiting", "{}", waiting.body);
    let path = format!("{}/cancel", waiting.header("location"));
    // As on SIGTERM: the doors first, then the engine.
    a.shutdown.cancel();
    let (cancelled, ()) = tokio::join!(b.post(&path), a.engine.drain());
    assert!(cancelled.status < 300, "{}", cancelled.body);
    let ended = b.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(ended.text("/status"), "compensated", "{}", ended.body);
    assert_eq!(shards(&b), 4);
}

#[tokio::test]
async fn a_verb_for_an_owner_that_is_frozen_reaches_who_has_taken_over() {
    // As a frozen process: connections are taken by its kernel, and nothing is ever said.
    let frozen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", frozen.local_addr().unwrap());
    let (a, b) = two(Some(address.leak())).await;
    a.participants.state().customer_acts = true;
    let waiting = a.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(waiting.text("/status"), "waiting", "{}", waiting.body);
    let path = format!("{}/cancel", waiting.header("location"));
    let taken_over = async {
        let asked = frozen.accept().await.unwrap();
        a.engine.drain().await;
        asked
    };
    let (cancelled, _asked) = tokio::join!(b.post(&path), taken_over);
    assert!(cancelled.status < 300, "{}", cancelled.body);
    let ended = b.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(ended.text("/status"), "compensated", "{}", ended.body);
}

#[tokio::test]
async fn a_node_without_a_shard_is_not_ready_and_says_why() {
    let store = Arc::new(MemoryStore::new(1));
    let setup = |node| Setup { node, store: store.clone(), sharing: Some(TERM), ..Setup::default() };
    let (a, b) = (World::with(setup("a")).await, World::with(setup("b")).await);
    assert_eq!(a.get("/readyz").await.status, 200);
    let ready = b.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.to_string().contains("has no shard of the store yet"), "{}", ready.body);
    b.participants.product("A", "GBP");
    b.participants.cart("cart-1", &[("A", 2)]);
    let refused = b.checkout("k", &order_of("cart-1")).await;
    refused.is_problem(503, "not-ready", "");
    assert_eq!(refused.header("retry-after"), "1");
    a.engine.drain().await;
    until("the shard is b's", async || b.get("/readyz").await.status == 200).await;
}

#[tokio::test]
async fn a_note_is_handed_on_to_the_owner() {
    let (a, b) = two(None).await;
    a.participants.hold("authorize");
    let accepted = a.checkout("k", &order_of("cart-1")).await;
    a.participants.called("authorize", 1).await;
    let path = format!("/operator/v1/sagas/{}/notes", accepted.text("/checkout_id"));
    let request = b.request(Method::POST, &path).json(&json!({"text": "seen"}));
    let noted = answer(request.send().await.unwrap()).await;
    assert_eq!((noted.status, noted.text("/notes/0/text")), (200, "seen"), "{}", noted.body);
    a.participants.release("authorize");
}

#[tokio::test]
async fn a_return_starts_where_its_checkout_lives_whoever_is_asked() {
    let (a, b) = two(None).await;
    let mut lived = std::collections::BTreeSet::new();
    for n in 0..4 {
        let (key, cart) = (format!("k{n}"), format!("cart-r{n}"));
        a.participants.cart(&cart, &[("A", 1)]);
        let done = if n % 2 == 0 { &a } else { &b }.checkout_final(&key, &order_of(&cart)).await;
        assert_eq!(done.text("/status"), "completed", "{}", done.body);
        let path = format!("/api/v1/orders/{}/returns", done.text("/order_id"));
        // Both nodes are asked at once, under one key.
        let ask = async |world: &World| {
            let request = world.request(Method::POST, &path).header("Idempotency-Key", &key).json(&json!({}));
            answer(request.header("Prefer", "wait=30").send().await.unwrap()).await
        };
        let (one, other) = tokio::join!(ask(&a), ask(&b));
        assert_eq!((one.text("/status"), &one.body), ("completed", &other.body), "{}", one.body);
        let row = async |id: &str| a.store.load(id.parse().unwrap()).await.unwrap().unwrap().row;
        let (checkout, back) = (row(done.text("/checkout_id")).await, row(one.text("/return_id")).await);
        assert_eq!((back.shard, back.root), (checkout.shard, checkout.id));
        lived.insert(checkout.shard);
    }
    assert!(lived.len() > 1, "{lived:?}");
}
