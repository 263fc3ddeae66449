//! Answers that are lost, undos that fail, and participants that are away: a doubt is treated like an effect until it is
//! settled, and holds nobody else up.
//!
//! Giving up after a minute of silence is not waited for here; time is a value in the tests of the core, which hold it.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use backstitch_proto::payment::{CaptureRequest, CaptureResponse};
use common::trial::{begin, cancelled, encoded, is_parked, money, quantity_of, refusal_of, shop_with, step};
use common::{Act, Shop, order_of, program, run, until};
use prost::Message;
use serde_json::json;
use tonic::Status;

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
async fn checkouts_from_a_backup_ask_how_far_they_came_before_anything_is_taken_back() {
    let mut shop = Shop::stocked().await;
    let mut begun = Vec::new();
    for token in ["tok_3ds_never", "tok_3ds_ok"] {
        shop.fill(token, &[("A", 1)]).await;
        let started = shop.begin(token, &order_of(token, token)).await.ok();
        begun.push(started.text("/checkout_id").to_owned());
        shop.reaches(&begun[begun.len() - 1], &["waiting"]).await;
    }
    shop.kill();
    let file = |end: &str| shop.data().join(format!("orchestrator.db{end}"));
    let backup = ["", "-wal"].map(|end| (end, std::fs::read(file(end)).unwrap()));
    let shelf = shop.data();
    // The one pays and has its order; the other one never answers.
    shop.start().await;
    let sold = shop.rested(&begun[1]).await;
    assert_eq!(sold.text("/status"), "completed");
    shop.stop().await;
    for (end, bytes) in backup {
        std::fs::write(shelf.join(format!("orchestrator.db{end}")), bytes).unwrap();
    }
    let data = shelf.display().to_string();
    let restored = run(program(shop.directory()).args(["migrate", "--after-restore", "--data", &data]));
    assert_eq!(restored.code, Some(0), "{restored:?}");
    shop.start().await;
    for (id, status) in begun.iter().zip(["compensated", "completed"]) {
        assert_eq!(shop.rested(id).await.text("/status"), status);
        let saga = shop.saga(id).await.body.to_string();
        assert!(saga.contains("restored from a backup"), "{saga}");
    }
    let order = shop.get(&format!("/api/v1/orders/{}", sold.text("/order_id"))).await.ok();
    assert_eq!(order.text("/status"), "confirmed");
    assert_eq!(shop.stock("A").await, (99, 0, 1));
    let money = &shop.close().await["money"]["GBP"];
    assert_eq!((&money["refunded_minor"], &money["held_minor"]), (&json!(0), &json!(0)));
    assert_ne!(money["captured_minor"], json!(0));
}

#[tokio::test]
async fn what_was_restored_is_named_where_it_is() {
    let shop = Shop::closed();
    let nowhere = shop.directory().join("nowhere");
    let args = ["migrate", "--after-restore", "--data", &nowhere.display().to_string()];
    let said = run(program(shop.directory()).args(args));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("orchestrator.db is not there"), "{said:?}");
    assert!(!nowhere.exists());
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
    assert_eq!((ready.status, ready.text("/status")), (200, "degraded"));
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
    let ready = json!({"status": "ready"});
    until("it is ready", async || (shop.get("/readyz").await.body == ready).then_some(())).await;
    shop.close().await;
}
