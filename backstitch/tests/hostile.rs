//! A participant that lies or babbles: nothing of it is ever read as a refusal, one saga's trouble is no other saga's,
//! and what may have happened is taken back.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use backstitch_proto::common::Money;
use backstitch_proto::payment::authorize_response::Result as Authorization;
use backstitch_proto::payment::{AuthorizeRequest, AuthorizeResponse, Authorized};
use backstitch_proto::shipping::{QuoteRequest, QuoteResponse};
use bytes::Bytes;
use common::trial::{
    begin, cancelled, encoded, is_parked, money, quantity_of, refusal_of, shop_with, step, total_of,
};
use common::{Act, Reply};
use prost::Message;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

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
    assert_eq!(report["counts"]["payments"], 7);
    let taken = json!({"captured_minor": 4395, "refunded_minor": 0, "held_minor": 0});
    assert_eq!(report["money"]["GBP"], taken);
}

#[tokio::test]
async fn who_is_told_after_the_effect_that_nobody_serves_it_asks_again_and_pays_once() {
    let lies = AtomicU32::new(2);
    let (shop, impostor) = shop_with("payment", move |call| {
        let lie = || lies.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if call.method == "Authorize" && lie() {
            return Act::PassOnAndSay(Err(Status::unimplemented("no such method")));
        }
        Act::PassOn
    })
    .await;
    let id = begin(&shop, 8).await;
    assert_eq!(shop.rested(&id).await.text("/status"), "completed");
    assert_eq!(impostor.calls_of(&id, "Authorize").len(), 3);
    let report = shop.close().await;
    assert_eq!(report["counts"]["payments"], 1);
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
