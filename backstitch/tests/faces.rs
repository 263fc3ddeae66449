//! The ways to look at a checkout: waiting, events, gRPC, orders, the operator's view, and what machines ask.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use backstitch_proto::checkout::checkouts_client::CheckoutsClient;
use backstitch_proto::checkout::{CancelCheckoutRequest, GetCheckoutRequest, StartCheckoutRequest};
use backstitch_proto::common::{Address, Money};
use backstitch_proto::ids::derived;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{GetSagaRequest, ListSagasRequest};
use common::{Shop, order_of};
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use uuid::Uuid;

#[tokio::test]
async fn a_wait_ends_with_the_final_document_with_what_the_customer_has_to_do_or_with_what_is_known() {
    let shop = Shop::stocked().await;
    shop.fill("quick", &[("A", 1)]).await;
    let request = shop.checkout_request("quick", &order_of("quick", "tok_ok")).header("Prefer", "wait=30");
    let done = shop.send(request).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"));
    assert_eq!(done.header("preference-applied"), "wait=30");

    shop.fill("slow", &[("A", 1)]).await;
    let request =
        shop.checkout_request("slow", &order_of("slow", "tok_3ds_never")).header("Prefer", "wait=30");
    let known = shop.send(request.timeout(Duration::from_secs(10))).await;
    assert_eq!((known.status, known.text("/status")), (202, "waiting"));
    assert!(!known.text("/next_action/url").is_empty(), "{}", known.body);
    assert_eq!(known.header("location"), format!("/api/v1/checkouts/{}", known.text("/checkout_id")));
    let cancel = format!("{}/cancel", known.header("location"));
    let back = shop.send(shop.request(Method::POST, &cancel).header("Prefer", "wait=30")).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));

    shop.fill("late", &[("A", 1)]).await;
    let request =
        shop.checkout_request("late", &order_of("late", "tok_slow_capture")).header("Prefer", "wait=1");
    let known = shop.send(request).await;
    assert_eq!((known.status, known.text("/status")), (202, "running"));
    assert_eq!(shop.rested(known.text("/checkout_id")).await.text("/status"), "completed");
    shop.close().await;
}

#[tokio::test]
async fn events_tell_every_durable_change_and_end_with_the_final_document() {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 1)]).await;
    let started = shop.begin("k", &order_of("cart", "tok_slow_capture")).await.ok();
    let path = format!("{}/events", started.header("location"));
    let response = shop.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    // The stream ends by itself.
    let text = response.text().await.unwrap();
    let events: Vec<&str> = text.split("\n\n").filter(|event| event.contains("data: ")).collect();
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    let documents: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(&field(event, "data: ")).unwrap()).collect();
    assert_eq!(documents.last().unwrap()["status"], "completed");
    assert!(documents.len() > 2, "{text}");
    assert!(documents.iter().all(|document| document["checkout_id"] == started.body["checkout_id"]));
    // An order that was told of stays told of.
    assert!(documents.iter().map(|document| document.get("order_id").is_some()).is_sorted());
    let ids: Vec<u32> = events.iter().map(|event| field(event, "id: ").parse().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    // A browser that has seen the end is told not to come back.
    let last = ids.last().unwrap().to_string();
    let again = shop.request(Method::GET, &path).header("Last-Event-ID", last).send().await.unwrap();
    assert_eq!(again.status(), 204);
    shop.close().await;
}

#[tokio::test]
async fn an_order_is_pending_until_the_money_is_taken_and_confirmed_from_then_on() {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 1)]).await;
    let started = shop.begin("k", &order_of("cart", "tok_slow_capture")).await.ok();
    let id: Uuid = started.text("/checkout_id").parse().unwrap();
    let path = format!("/api/v1/orders/{}", derived(id, "order"));
    let pending = common::until("the order is there", async || {
        let answer = shop.get(&path).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(pending.text("/status"), "pending");
    // Nobody is told of an order that does not stand yet.
    let document = shop.get(started.header("location")).await.ok();
    assert_eq!(document.body.get("order_id"), None);

    let done = shop.rested(started.text("/checkout_id")).await;
    assert_eq!(format!("/api/v1/orders/{}", done.text("/order_id")), path);
    let order = shop.get(&path).await.ok();
    assert_eq!(order.text("/status"), "confirmed");
    let history: Vec<_> = order.body["history"].as_array().unwrap().iter().map(|h| &h["status"]).collect();
    assert_eq!(history, ["pending", "confirmed"]);
    shop.close().await;
}

#[tokio::test]
async fn operators_page_through_all_sagas_once_newest_first_and_see_every_step() {
    let shop = Shop::stocked().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let (cart, token) = (format!("c{n}"), if n % 2 == 0 { "tok_ok" } else { "tok_declined" });
        shop.fill(&cart, &[("A", 1)]).await;
        let answer = shop.check_out(&cart, &order_of(&cart, token)).await;
        ids.push(answer.text("/checkout_id").to_owned());
    }
    ids.reverse();
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/operator/v1/sagas?page_size=2".to_owned();
    loop {
        let page = shop.get(&path).await.ok();
        let sagas = page.body["sagas"].as_array().unwrap();
        assert!(sagas.len() <= 2);
        seen.extend(sagas.iter().map(|saga| saga["saga_id"].as_str().unwrap().to_owned()));
        match page.text("/next_cursor") {
            "" => break,
            cursor => path = format!("/operator/v1/sagas?page_size=2&cursor={cursor}"),
        }
    }
    assert_eq!(seen, ids);
    let with_status = async |status: &str| {
        let listed = shop.get(&format!("/operator/v1/sagas?definition=checkout&status={status}")).await.ok();
        listed.body["sagas"].as_array().unwrap().len()
    };
    assert_eq!((with_status("completed").await, with_status("compensated").await), (3, 2));
    assert_eq!(with_status("parked").await, 0);

    let completed = shop.saga(&ids[0]).await;
    let steps = completed.body["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 11);
    for step in steps {
        assert_eq!((&step["forward"], &step["undo"]), (&json!("done"), &json!("-")), "{step}");
        assert!(step["attempts"].as_i64().unwrap() >= 1 && step["settled_at_unix_ms"].is_i64(), "{step}");
    }
    let records = completed.body["records"].as_array().unwrap();
    let seqs: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=u64::try_from(records.len()).unwrap()).collect::<Vec<_>>());
    assert_eq!(
        (&records[0]["kind"], &records.last().unwrap()["kind"]),
        (&json!("started"), &json!("completed"))
    );
    // Operators see what happened, not whom it happened to.
    let told = completed.body.to_string();
    for private in ["ada@example.com", "Lovelace", "SW1Y", "tok_ok"] {
        assert!(!told.contains(private), "{private} in {told}");
    }
    shop.close().await;
}

#[tokio::test]
async fn machines_learn_that_it_is_alive_and_ready_what_it_counts_and_what_it_offers() {
    let shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 1)]).await;
    shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(shop.get("/healthz").await.status, 200);
    assert_eq!(shop.get("/readyz").await.body, json!({"status": "ready"}));
    let metrics = shop.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for name in ["store_commits_total", "http_requests_total"] {
        assert!(metrics.contains(&format!("# TYPE {name} counter")), "{name} in {metrics}");
    }
    let described = shop.get("/openapi.json").await.ok();
    assert!(described.text("/openapi").starts_with("3."));
    assert!(described.body["paths"].get("/api/v1/checkouts").is_some());
    shop.close().await;
}

async fn channel(shop: &Shop) -> Channel {
    Channel::from_shared(format!("http://{}", shop.up().address("grpc"))).unwrap().connect().await.unwrap()
}

fn request(cart: &str, token: &str) -> StartCheckoutRequest {
    StartCheckoutRequest {
        idempotency_key: cart.into(),
        cart_id: cart.into(),
        email: "ada@example.com".into(),
        shipping_address: Some(Address {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
            ..Address::default()
        }),
        shipping_method: "standard".into(),
        payment_method: token.into(),
        ..StartCheckoutRequest::default()
    }
}

#[tokio::test]
async fn the_grpc_face_starts_watches_and_cancels_the_same_checkouts() {
    let shop = Shop::stocked().await;
    let channel = channel(&shop).await;
    let mut checkouts = CheckoutsClient::new(channel.clone());
    shop.fill("cart", &[("A", 1)]).await;
    let started = checkouts.start(request("cart", "tok_slow_capture")).await.unwrap().into_inner();
    let asked = GetCheckoutRequest { checkout_id: started.checkout_id.clone() };
    let mut watched = checkouts.watch(asked.clone()).await.unwrap().into_inner();
    let mut last = None;
    while let Some(document) = watched.message().await.unwrap() {
        last = Some(document);
    }
    let last = last.unwrap();
    assert_eq!(last.status, "completed");
    assert_eq!(last.total, Some(Money { amount_minor: 895, currency: "GBP".into() }));
    assert_eq!(checkouts.get(asked).await.unwrap().into_inner(), last);
    // The same request over HTTP, under the same key, is the same checkout.
    let there = shop.check_out("cart", &order_of("cart", "tok_slow_capture")).await;
    assert_eq!(there.text("/order_number"), last.order_number);
    let late = CancelCheckoutRequest { checkout_id: last.checkout_id.clone() };
    assert_eq!(checkouts.cancel(late).await.unwrap_err().code(), Code::FailedPrecondition);

    shop.fill("waits", &[("A", 1)]).await;
    let waits = checkouts.start(request("waits", "tok_3ds_never")).await.unwrap().into_inner();
    shop.reaches(&waits.checkout_id, &["waiting"]).await;
    let cancel = CancelCheckoutRequest { checkout_id: waits.checkout_id.clone() };
    let cancelled = checkouts.cancel(cancel).await.unwrap().into_inner();
    assert_eq!(cancelled.refusal.unwrap().reason, "CANCELLED");
    shop.rested(&waits.checkout_id).await;

    let mut operator = OperatorClient::new(channel);
    let listed = operator.list_sagas(ListSagasRequest::default()).await.unwrap().into_inner();
    let ids: Vec<_> = listed.sagas.iter().map(|saga| saga.saga_id.as_str()).collect();
    assert_eq!(ids, [waits.checkout_id.as_str(), last.checkout_id.as_str()]);
    let detail = operator.get_saga(GetSagaRequest { saga_id: last.checkout_id }).await.unwrap().into_inner();
    assert_eq!(detail.steps.len(), 11);
    shop.close().await;
}

#[tokio::test]
async fn every_service_says_over_grpc_that_it_is_well_and_what_it_offers() {
    let shop = Shop::open().await;
    let faces = ["cart", "inventory", "shipping", "payment", "order", "notification", "grpc"];
    for name in faces {
        let at = format!("http://{}", shop.up().address(name));
        let channel = Channel::from_shared(at).unwrap().connect().await.unwrap();
        let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(health.into_inner().status, ServingStatus::Serving as i32, "{name}");
        let own = match name {
            "cart" => "backstitch.cart.v1.Carts",
            "inventory" => "backstitch.inventory.v1.Inventory",
            "shipping" => "backstitch.shipping.v1.Shipping",
            "payment" => "backstitch.payment.v1.Payment",
            "order" => "backstitch.order.v1.Orders",
            "notification" => "backstitch.notification.v1.Notifications",
            _ => "backstitch.checkout.v1.Checkouts",
        };
        assert!(offered(channel).await.contains(own), "{name}");
    }
    shop.close().await;
}

async fn offered(channel: Channel) -> BTreeSet<String> {
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let asked = futures::stream::iter([ask]);
    let mut told =
        ServerReflectionClient::new(channel).server_reflection_info(asked).await.unwrap().into_inner();
    match told.message().await.unwrap().unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(services)) => {
            services.service.into_iter().map(|service| service.name).collect()
        }
        other => panic!("{other:?}"),
    }
}
