//! The gRPC face: the same verbs, and errors with details.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_proto::checkout::checkouts_client::CheckoutsClient;
use backstitch_proto::checkout::{CancelCheckoutRequest, Checkout, GetCheckoutRequest, StartCheckoutRequest};
use backstitch_proto::common::{Address, Money};
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{GetSagaRequest, ListSagasRequest};
use support::{Setup, World, order_of};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt as _;

struct Face {
    world: World,
    channel: Channel,
    checkouts: CheckoutsClient<Channel>,
}

impl Face {
    async fn new(setup: Setup) -> Self {
        let world = World::with(setup).await;
        world.participants.product("A", "GBP");
        world.participants.cart("cart-1", &[("A", 2)]);
        let channel = backstitch_server::channel(&world.grpc).unwrap();
        Self { world, checkouts: CheckoutsClient::new(channel.clone()), channel }
    }

    async fn start(&mut self, request: StartCheckoutRequest) -> Result<Checkout, Status> {
        self.checkouts.start(request).await.map(tonic::Response::into_inner)
    }
}

fn request(key: &str, wait_seconds: i32) -> StartCheckoutRequest {
    StartCheckoutRequest {
        idempotency_key: key.into(),
        cart_id: "cart-1".into(),
        email: "ada@example.com".into(),
        shipping_address: Some(Address {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
            ..Default::default()
        }),
        shipping_method: "standard".into(),
        payment_method: "tok_ok".into(),
        wait_seconds,
        ..Default::default()
    }
}

/// Code, reason and offending field of a status.
fn told(status: &Status) -> (Code, String, String) {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let field = details.bad_request().and_then(|b| b.field_violations.first()).map(|v| v.field.clone());
    (status.code(), reason, field.unwrap_or_default())
}

fn is(code: Code, reason: &str, field: &str) -> (Code, String, String) {
    (code, reason.to_owned(), field.to_owned())
}

#[tokio::test]
async fn a_checkout_is_started_found_and_watched_to_its_end() {
    let mut face = Face::new(Setup::default()).await;
    let accepted = face.start(request("k", 0)).await.unwrap();
    assert!(!accepted.checkout_id.is_empty());
    let asked = GetCheckoutRequest { checkout_id: accepted.checkout_id.clone() };
    let mut watched = face.checkouts.watch(asked.clone()).await.unwrap().into_inner();
    let mut last = None;
    while let Some(document) = watched.message().await.unwrap() {
        last = Some(document);
    }
    let last = last.unwrap();
    assert_eq!((last.status.as_str(), last.order_number.as_str()), ("completed", "BS-000001"));
    assert_eq!(last.total, Some(Money { amount_minor: 1295, currency: "GBP".into() }));
    assert_eq!(face.checkouts.get(asked).await.unwrap().into_inner(), last);
    assert_eq!(face.start(request("k", 30)).await.unwrap(), last);
}

#[tokio::test]
async fn both_faces_know_one_request_by_one_key() {
    let mut face = Face::new(Setup::default()).await;
    let here = face.start(request("k", 30)).await.unwrap();
    let there = face.world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!((there.status, there.text("/checkout_id")), (200, here.checkout_id.as_str()));
}

#[tokio::test]
async fn a_refusal_travels_with_its_facts() {
    let mut face = Face::new(Setup::default()).await;
    face.world.participants.state().out_of_stock = true;
    let back = face.start(request("k", 30)).await.unwrap();
    let refusal = back.refusal.unwrap();
    assert_eq!((back.status.as_str(), refusal.step.as_str()), ("compensated", "reserve_stock"));
    assert_eq!((refusal.reason.as_str(), refusal.metadata["sku"].as_str()), ("OUT_OF_STOCK", "A"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_its_field_and_nothing_is_written() {
    let mut face = Face::new(Setup::default()).await;
    let with = |edit: fn(&mut StartCheckoutRequest)| {
        let mut request = request("k", 0);
        edit(&mut request);
        request
    };
    let cases = [
        (with(|r| r.idempotency_key.clear()), is(Code::InvalidArgument, "INVALID_FIELD", "idempotency_key")),
        (
            with(|r| r.idempotency_key = "k".repeat(256)),
            is(Code::InvalidArgument, "INVALID_FIELD", "idempotency_key"),
        ),
        (with(|r| r.wait_seconds = -1), is(Code::InvalidArgument, "INVALID_FIELD", "wait_seconds")),
        (with(|r| r.wait_seconds = 31), is(Code::InvalidArgument, "INVALID_FIELD", "wait_seconds")),
        (with(|r| r.email = "nobody".into()), is(Code::InvalidArgument, "INVALID_FIELD", "email")),
        (with(|r| r.shipping_address = None), is(Code::InvalidArgument, "MISSING_FIELD", "shipping_address")),
        (
            with(|r| r.shipping_address.as_mut().unwrap().country = "UK".into()),
            is(Code::InvalidArgument, "INVALID_FIELD", "shipping_address.country"),
        ),
        (with(|r| r.cart_id = "nothing".into()), is(Code::NotFound, "UNKNOWN_CART", "cart_id")),
    ];
    for (request, expected) in cases {
        assert_eq!(told(&face.start(request).await.unwrap_err()), expected);
    }
    assert_eq!(face.world.store.commits(), 0);

    face.start(request("k", 30)).await.unwrap();
    let other = StartCheckoutRequest { shipping_method: "express".into(), ..request("k", 0) };
    let reused = face.start(other).await.unwrap_err();
    assert_eq!(told(&reused), is(Code::AlreadyExists, "KEY_REUSED", "idempotency_key"));
}

#[tokio::test]
async fn busy_is_resource_exhausted_with_retry_info() {
    let mut face = Face::new(Setup { max_live: 1, ..Setup::default() }).await;
    face.world.participants.cart("cart-2", &[("A", 1)]);
    face.world.participants.hold("authorize");
    face.start(request("k1", 0)).await.unwrap();
    let busy =
        face.start(StartCheckoutRequest { cart_id: "cart-2".into(), ..request("k2", 0) }).await.unwrap_err();
    assert_eq!(told(&busy), is(Code::ResourceExhausted, "BUSY", ""));
    assert!(busy.get_error_details().retry_info().unwrap().retry_delay.is_some());
    face.world.participants.release("authorize");
}

#[tokio::test]
async fn a_checkout_is_cancelled_before_the_pivot_and_not_after_it() {
    let mut face = Face::new(Setup::default()).await;
    face.world.participants.hold("authorize");
    let accepted = face.start(request("k1", 0)).await.unwrap();
    face.world.participants.called("authorize", 1).await;
    let cancel = CancelCheckoutRequest { checkout_id: accepted.checkout_id };
    let cancelled = face.checkouts.cancel(cancel).await.unwrap().into_inner();
    assert_eq!(cancelled.refusal.unwrap().reason, "CANCELLED");
    face.world.participants.release("authorize");
    assert_eq!(face.start(request("k1", 30)).await.unwrap().status, "compensated");

    let done = face.start(request("k2", 30)).await.unwrap();
    let asked = GetCheckoutRequest { checkout_id: done.checkout_id.clone() };
    assert_eq!(face.checkouts.wake(asked).await.unwrap().into_inner(), done);
    let cancel = CancelCheckoutRequest { checkout_id: done.checkout_id };
    let late = face.checkouts.cancel(cancel).await.unwrap_err();
    assert_eq!(told(&late), is(Code::FailedPrecondition, "TOO_LATE_TO_CANCEL", ""));
}

#[tokio::test]
async fn ids_that_are_none_and_ids_of_nothing_are_told_apart() {
    let mut face = Face::new(Setup::default()).await;
    let mut operator = OperatorClient::new(face.channel.clone());
    for (id, code) in [("7", Code::InvalidArgument), ("01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90", Code::NotFound)]
    {
        let asked = || GetCheckoutRequest { checkout_id: id.into() };
        assert_eq!(face.checkouts.get(asked()).await.unwrap_err().code(), code);
        assert_eq!(face.checkouts.watch(asked()).await.unwrap_err().code(), code);
        assert_eq!(face.checkouts.wake(asked()).await.unwrap_err().code(), code);
        let cancel = CancelCheckoutRequest { checkout_id: id.into() };
        assert_eq!(face.checkouts.cancel(cancel).await.unwrap_err().code(), code);
        let saga = GetSagaRequest { saga_id: id.into() };
        assert_eq!(operator.get_saga(saga).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn operators_list_and_look_into_sagas() {
    let mut face = Face::new(Setup::default()).await;
    let done = face.start(request("k", 30)).await.unwrap();
    let mut operator = OperatorClient::new(face.channel.clone());
    let listed = operator.list_sagas(ListSagasRequest::default()).await.unwrap().into_inner();
    assert_eq!((listed.sagas.len(), listed.next_cursor.as_str()), (1, ""));
    assert_eq!((&listed.sagas[0].saga_id, listed.sagas[0].status.as_str()), (&done.checkout_id, "completed"));
    let saga = operator.get_saga(GetSagaRequest { saga_id: done.checkout_id }).await.unwrap().into_inner();
    assert_eq!(saga.steps.len(), 11);
    assert!(saga.steps.iter().all(|step| step.forward == "done" && step.undo == "-"));
    assert_eq!(saga.records.first().unwrap().kind, "started");
    assert_eq!(saga.records.last().unwrap().kind, "completed");
    assert!(saga.explanation.starts_with("Completed"));
    let running = ListSagasRequest { status: "running".into(), ..Default::default() };
    assert!(operator.list_sagas(running).await.unwrap().into_inner().sagas.is_empty());
    for bad in [
        ListSagasRequest { status: "done".into(), ..Default::default() },
        ListSagasRequest { page_size: 501, ..Default::default() },
        ListSagasRequest { page_size: -1, ..Default::default() },
        ListSagasRequest { cursor: "x".into(), ..Default::default() },
    ] {
        assert_eq!(operator.list_sagas(bad).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn health_and_reflection_are_there() {
    let face = Face::new(Setup::default()).await;
    let mut health = HealthClient::new(face.channel.clone());
    for service in ["", "backstitch.checkout.v1.Checkouts", "backstitch.operator.v1.Operator"] {
        let checked =
            health.check(HealthCheckRequest { service: service.into() }).await.unwrap().into_inner();
        assert_eq!(checked.status, 1, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(face.channel.clone());
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(listed)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services")
    };
    let names: Vec<_> = listed.service.iter().map(|s| s.name.as_str()).collect();
    for name in
        ["backstitch.checkout.v1.Checkouts", "backstitch.operator.v1.Operator", "grpc.health.v1.Health"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
}
