//! A participant that lies, babbles or is away: nothing of it is ever read as a refusal, one saga's trouble is no other
//! saga's, and what may have happened is taken back.
//!
//! Giving up after a minute of silence is not waited for here; time is a value in the tests of the core, which hold it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, HashMap};

use backstitch_proto::common::Money;
use backstitch_proto::contract::{Refusal, Verdict};
use backstitch_proto::payment::authorize_response::Result as Authorization;
use backstitch_proto::payment::{
    AuthorizeRequest, AuthorizeResponse, Authorized, CaptureRequest, CaptureResponse,
};
use backstitch_proto::shipping::{QuoteRequest, QuoteResponse};
use bytes::Bytes;
use common::{Act, Answer, Call, Impostor, Reply, Shop, order_of, until};
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A shop whose orchestrator calls an impostor in place of participant `name`.
async fn shop_with(name: &str, script: impl Fn(&Call) -> Act + Send + Sync + 'static) -> (Shop, Impostor) {
    let mut shop = Shop::closed();
    let at = shop.start_beside(&[("participants", &[])]).await;
    let impostor = Impostor::before(&at[name], script).await;
    let mut uris: BTreeMap<_, _> =
        at.iter().map(|(name, at)| (name.clone(), format!("http://{at}"))).collect();
    uris.insert(name.to_owned(), impostor.uri().to_owned());
    shop.start_orchestrator(&uris).await;
    shop.put_a_and_b().await;
    (shop, impostor)
}

/// Begins a checkout of so many A; the number is what a script knows it by.
async fn begin(shop: &Shop, quantity: i64) -> String {
    let cart = format!("{quantity}-of-A");
    shop.fill(&cart, &[("A", quantity)]).await;
    let started = shop.begin(&cart, &order_of(&cart, "tok_ok")).await.ok();
    started.text("/checkout_id").to_owned()
}

/// What so many A cost with a domestic parcel.
fn total_of(quantity: i64) -> Money {
    money(500 * quantity + 395, "GBP")
}

fn quantity_of(amount: Option<&Money>) -> i64 {
    (amount.unwrap().amount_minor - 395) / 500
}

fn money(amount_minor: i64, currency: &str) -> Money {
    Money { amount_minor, currency: currency.into() }
}

fn encoded(message: &impl Message) -> Reply {
    Ok(message.encode_to_vec().into())
}

fn step(saga: &Answer, name: &str) -> Value {
    let steps = saga.body["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap().clone()
}

/// The saga waits for a person at `name`, who is told why, and it is no refusal.
async fn is_parked(shop: &Shop, id: &str, name: &str, why: &str) {
    let document = shop.rested(id).await;
    assert_eq!((document.text("/status"), document.body.get("refusal")), ("parked", None), "{document:?}");
    let saga = shop.saga(id).await;
    let step = step(&saga, name);
    assert_eq!((&step["forward"], &step["maybe_run"]), (&json!("parked"), &json!(true)), "{step}");
    assert!(step["detail"].as_str().unwrap().contains(why), "{why:?} in {step}");
    assert!(saga.text("/explanation").contains(why), "{saga:?}");
}

async fn cancelled(shop: &Shop, id: &str) {
    shop.post(&format!("/api/v1/checkouts/{id}/cancel")).await.ok();
    let back = shop.reaches(id, &["compensated"]).await;
    assert_eq!(back.text("/refusal/reason"), "CANCELLED");
}

#[tokio::test]
async fn a_payment_that_answers_what_cannot_be_parks_that_saga_alone_and_its_hold_is_let_go() {
    let lies = |quantity: i64, payment_id: String| -> Option<Reply> {
        let authorized = |payment_id: &str, amount: Money| {
            let result = Authorized { amount: Some(amount), capturable_for_seconds: 60 };
            let result = Some(Authorization::Authorized(result));
            encoded(&AuthorizeResponse { payment_id: payment_id.to_owned(), result })
        };
        match quantity {
            1 => Some(authorized(&payment_id, money(895, "EUR"))),
            2 => Some(authorized(&payment_id, money(-1395, "GBP"))),
            3 => Some(authorized("another", total_of(3))),
            4 => Some(encoded(&AuthorizeResponse { payment_id, result: None })),
            5 => Some(Ok(vec![0; (1 << 20) + 1].into())),
            6 => Some(Ok(Bytes::from_static(&[0xff; 64]))),
            7 => Some(Err(Status::unimplemented("no such method"))),
            _ => None,
        }
    };
    let (shop, impostor) = shop_with("payment", move |call| {
        if call.method != "Authorize" {
            return Act::PassOn;
        }
        let request = AuthorizeRequest::decode(call.request.clone()).unwrap();
        let lie = lies(quantity_of(request.amount.as_ref()), request.payment_id);
        lie.map_or(Act::PassOn, Act::PassOnAndSay)
    })
    .await;
    let mut parked = Vec::new();
    for (quantity, why) in [
        (1, "asked for 8.95 GBP, answered 8.95 EUR"),
        (2, "answered -13.95 GBP"),
        (3, "another"),
        (4, "neither authorized nor waiting"),
        (5, "1048577 bytes"),
        (6, "decode"),
        (7, "Unimplemented"),
    ] {
        let id = begin(&shop, quantity).await;
        is_parked(&shop, &id, "authorize_payment", why).await;
        parked.push(id);
    }
    let honest = begin(&shop, 8).await;
    assert_eq!(shop.rested(&honest).await.text("/status"), "completed");

    let listed = shop.get("/operator/v1/sagas?status=parked").await.ok();
    assert_eq!(listed.body["sagas"].as_array().unwrap().len(), parked.len());
    for id in &parked {
        // Not asked again: a person looks first.
        assert_eq!(impostor.calls_of(id, "Authorize").len(), 1);
        cancelled(&shop, id).await;
        assert_eq!(impostor.calls_of(id, "Void").len(), 1);
    }
    assert_eq!(shop.stock("A").await, (92, 0, 8));
    let report = shop.close().await;
    // Every hold was real; only one was taken.
    assert_eq!(report["counts"]["payments"], 8);
    let taken = json!({"captured_minor": 4395, "refunded_minor": 0, "held_minor": 0});
    assert_eq!(report["money"]["GBP"], taken);
}

#[tokio::test]
async fn a_quote_that_cannot_be_parks_that_saga_alone() {
    let (shop, _) = shop_with("shipping", |call| {
        if call.method != "Quote" {
            return Act::PassOn;
        }
        let request = QuoteRequest::decode(call.request.clone()).unwrap();
        let quoted = |price: Option<Money>| {
            let (quote_id, method) = (request.quote_id.clone(), request.method.clone());
            Act::Say(encoded(&QuoteResponse { quote_id, price, method, valid_for_seconds: 60 }))
        };
        match request.weight_grams / 100 {
            1 => quoted(Some(money(395, "USD"))),
            2 => quoted(Some(money(-395, "GBP"))),
            3 => quoted(Some(money(395, "pounds"))),
            4 => quoted(None),
            5 => quoted(Some(money(i64::MAX, "GBP"))),
            _ => Act::PassOn,
        }
    })
    .await;
    for (quantity, name, why) in [
        (1, "quote_shipping", "USD"),
        (2, "quote_shipping", "negative"),
        (3, "quote_shipping", "pounds"),
        (4, "quote_shipping", "amount"),
    ] {
        let id = begin(&shop, quantity).await;
        is_parked(&shop, &id, name, why).await;
        cancelled(&shop, &id).await;
    }
    // A price that can be, and a total that cannot: found before the card is asked, so nothing may have happened.
    let id = begin(&shop, 5).await;
    assert_eq!(shop.rested(&id).await.text("/status"), "parked");
    let saga = shop.saga(&id).await;
    let payment = step(&saga, "authorize_payment");
    assert_eq!((&payment["forward"], &payment["attempts"]), (&json!("parked"), &json!(0)), "{payment}");
    cancelled(&shop, &id).await;
    let honest = begin(&shop, 6).await;
    assert_eq!(shop.rested(&honest).await.text("/status"), "completed");
    assert_eq!(shop.stock("A").await, (94, 0, 6));
    shop.close().await;
}

/// A refusal as the contract has it, for the call with `key` to `service`.
fn refusal_of(service: &str, key: &str) -> Status {
    Verdict::Refused(Refusal::new("CARD_DECLINED", "no")).into_status(service, key)
}

#[tokio::test]
async fn a_status_that_is_not_this_call_s_own_refusal_is_none_and_is_asked_again() {
    let (shop, impostor) = shop_with("payment", |call| {
        if call.method != "Authorize" || call.attempt > 2 {
            return Act::PassOn;
        }
        let request = AuthorizeRequest::decode(call.request.clone()).unwrap();
        let bare = |code| Act::PassOnAndSay(Err(Status::new(code, "declined")));
        match quantity_of(request.amount.as_ref()) {
            1 => bare(Code::FailedPrecondition),
            2 => Act::PassOnAndSay(Err(refusal_of("shipping", &call.key))),
            3 => Act::PassOnAndSay(Err(refusal_of("payment", &call.key.replace("/do", "/undo")))),
            4 => Act::PassOnAndSay(Err(refusal_of("payment", ""))),
            5 => {
                let facts = HashMap::from([("key".to_owned(), call.key.clone())]);
                let details = ErrorDetails::with_error_info("CARD_DECLINED", "payment.backstitch", facts);
                // Without the word that says which promise it is.
                Act::PassOnAndSay(Err(Status::with_error_details(Code::FailedPrecondition, "no", details)))
            }
            6 => bare(Code::PermissionDenied),
            7 => bare(Code::ResourceExhausted),
            8 => bare(Code::Aborted),
            // Cut off on the way: nobody knows what it said.
            9 => Act::PassOnAndSay(Ok(vec![0; (16 << 20) + 1].into())),
            _ => Act::PassOn,
        }
    })
    .await;
    let mut started = Vec::new();
    for quantity in 1..=9 {
        started.push(begin(&shop, quantity).await);
    }
    for id in &started {
        let done = shop.rested(id).await;
        assert_eq!((done.text("/status"), done.body.get("refusal")), ("completed", None), "{done:?}");
        assert_eq!(impostor.calls_of(id, "Authorize").len(), 3);
        assert!(impostor.calls_of(id, "Void").is_empty());
    }
    // Asked three times each, held and taken once.
    let total: i64 = (1..=9).map(|quantity| total_of(quantity).amount_minor).sum();
    let report = shop.close().await;
    assert_eq!(report["money"]["GBP"]["captured_minor"], total);
}

#[tokio::test]
async fn a_doubt_before_the_pivot_is_never_a_refusal_and_is_taken_back_like_an_effect() {
    let (shop, impostor) = shop_with("payment", |call| match call.method.as_str() {
        "Authorize" => Act::PassOnAndSay(Err(Status::failed_precondition("declined"))),
        _ => Act::PassOn,
    })
    .await;
    let id = begin(&shop, 1).await;
    until("it is asked a third time", async || (impostor.calls_of(&id, "Authorize").len() > 2).then_some(()))
        .await;
    let document = shop.get(&format!("/api/v1/checkouts/{id}")).await.ok();
    assert_eq!((document.text("/status"), document.body.get("refusal")), ("running", None));
    cancelled(&shop, &id).await;
    assert_eq!(impostor.calls_of(&id, "Void").len(), 1);
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    let report = shop.close().await;
    assert_eq!(report["money"]["GBP"], json!({"captured_minor": 0, "refunded_minor": 0, "held_minor": 0}));
}

#[tokio::test]
async fn a_doubt_at_the_pivot_never_turns_back() {
    let (mut shop, impostor) = shop_with("payment", |call| {
        if call.method != "Capture" || call.op != "do" {
            return Act::PassOn;
        }
        let request = CaptureRequest::decode(call.request.clone()).unwrap();
        match quantity_of(request.amount.as_ref()) {
            // Another amount than was asked for.
            1 => Act::PassOnAndSay(encoded(&CaptureResponse {
                payment_id: request.payment_id,
                captured: Some(money(1, "GBP")),
            })),
            2 if call.attempt < 3 => Act::PassOnAndSay(Err(Status::failed_precondition("declined"))),
            _ => Act::PassOn,
        }
    })
    .await;
    let lied = begin(&shop, 1).await;
    is_parked(&shop, &lied, "capture_payment", "answered 0.01 GBP").await;
    let cancel = format!("/api/v1/checkouts/{lied}/cancel");
    shop.post(&cancel).await.is_problem(409, "too-late-to-cancel", "");
    assert!(impostor.calls_of(&lied, "Void").is_empty());

    let doubted = begin(&shop, 2).await;
    assert_eq!(shop.rested(&doubted).await.text("/status"), "completed");
    assert_eq!(impostor.calls_of(&doubted, "Capture").len(), 3);

    shop.stop().await;
    let (said, report) = shop.audit();
    // What is parked breaks nothing, and is listed for a person.
    assert_eq!((said.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");
    assert_eq!(report["parked"][0]["saga"], lied);
    assert_eq!(report["parked"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_step_after_the_pivot_that_refuses_is_parked_and_its_siblings_go_on() {
    let (mut shop, _) = shop_with("shipping", |call| match call.method.as_str() {
        "CreateShipment" => Act::Say(Err(refusal_of("shipping", &call.key))),
        _ => Act::PassOn,
    })
    .await;
    let id = begin(&shop, 2).await;
    is_parked(&shop, &id, "create_shipment", "after the pivot").await;
    let saga = until("the siblings are done", async || {
        let saga = shop.saga(&id).await;
        let done = |name: &str| step(&saga, name)["forward"] == "done";
        (done("commit_stock") && done("clear_cart")).then_some(saga)
    })
    .await;
    assert_eq!(step(&saga, "notify")["forward"], "idle");
    assert_eq!(shop.stock("A").await, (98, 0, 2));
    // The order stands, and the customer sees it.
    let document = shop.get(&format!("/api/v1/checkouts/{id}")).await.ok();
    let order = shop.get(&format!("/api/v1/orders/{}", document.text("/order_id"))).await.ok();
    assert_eq!(order.text("/status"), "confirmed");
    shop.stop().await;
    let (said, report) = shop.audit();
    assert_eq!((said.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");
    assert_eq!(report["parked"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_undo_that_fails_is_repeated_and_one_that_lies_holds_nobody_hostage() {
    let (mut shop, impostor) = shop_with("order", |call| match call.method.as_str() {
        "Create" => Act::Say(Err(Status::unavailable("a proxy is away"))),
        _ => Act::PassOn,
    })
    .await;
    shop.fill("cart", &[("A", 2)]).await;
    let started = shop.begin("k", &order_of("cart", "tok_void_fails_3")).await.ok();
    let id = started.text("/checkout_id");
    until("the money is held", async || (!impostor.calls_of(id, "Create").is_empty()).then_some(())).await;
    cancelled(&shop, id).await;
    let payment = step(&shop.saga(id).await, "authorize_payment");
    assert_eq!((&payment["undo"], &payment["undo_attempts"]), (&json!("done"), &json!(4)), "{payment}");
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    shop.stop().await;
    assert_eq!(shop.audit().0.code, Some(0));

    let (mut shop, impostor) = shop_with("payment", |call| match call.method.as_str() {
        "Authorize" => Act::PassOnAndSay(Err(Status::unknown("lost"))),
        "Void" => Act::Say(Err(refusal_of("payment", &call.key))),
        _ => Act::PassOn,
    })
    .await;
    let id = begin(&shop, 2).await;
    until("the money is held", async || (!impostor.calls_of(&id, "Authorize").is_empty()).then_some(()))
        .await;
    shop.post(&format!("/api/v1/checkouts/{id}/cancel")).await.ok();
    let saga = until("the others are back", async || {
        let saga = shop.saga(&id).await;
        let undone = |name: &str| step(&saga, name)["undo"] == "done";
        (undone("reserve_stock") && undone("hold_cart")).then_some(saga)
    })
    .await;
    assert_eq!(step(&saga, "authorize_payment")["undo"], "parked");
    assert_eq!(shop.rested(&id).await.text("/status"), "parked");
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    shop.stop().await;
    let (said, report) = shop.audit();
    assert_eq!((said.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");
    assert_eq!(report["parked"][0]["saga"], id);
    assert_eq!(report["money"]["GBP"]["held_minor"], 1395);
}

#[tokio::test]
async fn a_participant_that_is_away_is_waited_for_and_nothing_is_taken_back_that_was_never_sent() {
    let mut shop = Shop::closed();
    let listen: &[&str] = &["--listen", "127.0.0.1:0"];
    let roles = ["cart", "inventory", "shipping", "order", "notification"].map(|role| (role, listen));
    let mut uris: BTreeMap<String, String> = BTreeMap::new();
    for (name, at) in shop.start_beside(&roles).await {
        uris.insert(name, format!("http://{at}"));
    }
    // An address that was free a moment ago.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    uris.insert("payment".into(), format!("http://{away}"));
    shop.start_orchestrator(&uris).await;
    shop.put_a_and_b().await;
    let ready = shop.get("/readyz").await;
    ready.is_problem(503, "not-ready", "");
    assert_eq!(ready.text("/parts/0/part"), "payment");

    let (given_up, waits) = (begin(&shop, 1).await, begin(&shop, 2).await);
    for id in [&given_up, &waits] {
        let saga = until("it waits for the payment", async || {
            let saga = shop.saga(id).await;
            (step(&saga, "authorize_payment")["forward"] == "backing off").then_some(saga)
        })
        .await;
        let told = saga.text("/explanation");
        assert!(
            told.contains("authorize_payment is called again") && told.contains("not reachable"),
            "{told}"
        );
        assert_eq!(step(&saga, "authorize_payment")["maybe_run"], false);
    }
    cancelled(&shop, &given_up).await;
    let payment = step(&shop.saga(&given_up).await, "authorize_payment");
    // It was never reached, so there is nothing to take back and nobody to ask.
    assert_eq!((&payment["maybe_run"], &payment["undo"]), (&json!(false), &json!("-")), "{payment}");
    assert_eq!(shop.stock("A").await, (98, 2, 0));

    shop.start_beside(&[("payment", &["--listen", &away])]).await;
    assert_eq!(shop.rested(&waits).await.text("/status"), "completed");
    until("it is ready", async || (shop.get("/readyz").await.status == 200).then_some(())).await;
    shop.close().await;
}
