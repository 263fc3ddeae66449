//! Webhooks: signed, and in the order, number and time that a test says.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backstitch_stripe_double::{Endpoint, Treatment};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::shop::Shop;

/// What an endpoint got: the signature and the body of each.
type Got = Arc<Mutex<Vec<(String, String)>>>;

/// Takes webhooks; refuses the first `refusals` of them.
async fn endpoint(mut refusals: u32) -> (String, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/stripe", listener.local_addr().unwrap());
    let got = Got::default();
    let keep = Arc::clone(&got);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            let (head, length) = loop {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).await.unwrap();
                text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
                if let Some(head) = text.find("\r\n\r\n") {
                    let length = header(&text[..head], "content-length").parse::<usize>().unwrap();
                    if text.len() >= head + 4 + length {
                        break (head, length);
                    }
                }
            };
            let status = if refusals > 0 { "500 No" } else { "200 OK" };
            refusals = refusals.saturating_sub(1);
            let body = text[head + 4..head + 4 + length].to_owned();
            keep.lock().unwrap().push((header(&text[..head], "stripe-signature"), body));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, got)
}

fn header(head: &str, name: &str) -> String {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let value = fields.filter(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value).next();
    value.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

/// The types of what was got, when there are `count`.
async fn kinds(got: &Got, count: usize) -> Vec<String> {
    while got.lock().unwrap().len() < count {
        tokio::task::yield_now().await;
    }
    let kind =
        |body: &String| serde_json::from_str::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned();
    got.lock().unwrap().iter().map(|(_, body)| kind(body)).collect()
}

async fn shop_with(url: &str, held: bool) -> Shop {
    let shop = Shop::open().await;
    let secrets = vec!["whsec_new".to_owned(), "whsec_old".to_owned()];
    shop.control().webhooks(Some(Endpoint { url: url.to_owned(), secrets, held })).await;
    shop
}

#[tokio::test]
async fn what_happens_is_told_in_order() {
    let (url, got) = endpoint(0).await;
    let shop = shop_with(&url, false).await;
    let id = shop.created("700").await;
    shop.confirm(&id, "pm_card_chargeDeclined").await;
    shop.confirm(&id, "pm_card_threeDSecure2Required").await;
    shop.control().customer(&id, true).await.unwrap();
    shop.act(&id, "capture", &[]).await;
    let refund = shop.refund(&id, "100").await;
    shop.control().refund(refund.id(), false).await.unwrap();
    let other = shop.created("800").await;
    shop.act(&other, "cancel", &[]).await;
    let told = [
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "refund.created",
        "charge.refunded",
        "refund.failed",
        "refund.updated",
        "payment_intent.canceled",
    ];
    assert_eq!(kinds(&got, told.len()).await, told);
    let events = shop.control().events().await;
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), told);
    assert_eq!(events[5].intent, id);
    let read = shop.get(&format!("/v1/events/{}", events[0].id)).await;
    assert_eq!(read.body, events[0].body);
}

#[tokio::test]
async fn localstripe_alone_tells_of_few_of_these_changes_and_a_second_late() {
    let (url, got) = endpoint(0).await;
    let shop = Shop::open_apart().await;
    assert_eq!(shop.alone("/_config/webhooks/shop", json!({ "url": url, "secret": "s" })).await.status, 200);
    let begun = Instant::now();
    let cancelled = shop.held_alone(700).await;
    shop.alone(&format!("/v1/payment_intents/{cancelled}/cancel"), json!({})).await;
    let capture = async || {
        let id = shop.held_alone(700).await;
        assert!(shop.alone(&format!("/v1/payment_intents/{id}/capture"), json!({})).await.is("succeeded"));
        id
    };
    let refunded = capture().await;
    shop.alone("/v1/refunds", json!({ "payment_intent": refunded, "amount": 700 })).await;
    capture().await;
    // Those of the hold, the cancel and the refund would have come before the last one.
    assert_eq!(kinds(&got, 2).await, ["payment_intent.succeeded"; 2]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_webhook_is_signed_with_every_secret() {
    let (url, got) = endpoint(0).await;
    let shop = shop_with(&url, false).await;
    shop.held("700", "pm_card_visa").await;
    kinds(&got, 1).await;
    let (signature, _) = got.lock().unwrap()[0].clone();
    let parts: Vec<&str> = signature.split(',').collect();
    assert!(parts.len() == 3 && parts[0].starts_with("t="), "{signature}");
    assert!(parts[1..].iter().all(|part| part.starts_with("v1=") && part.len() == 67), "{signature}");
    assert_ne!(parts[1], parts[2]);
}

#[tokio::test]
async fn webhooks_are_lost_doubled_and_overtaken_as_told() {
    let (url, got) = endpoint(0).await;
    let shop = shop_with(&url, false).await;
    shop.control().treat(Treatment::lost(1).of("payment_intent.amount_capturable_updated")).await;
    shop.control()
        .treat(Treatment { delay_ms: 300, copies: 1, ..Treatment::lost(1) }.of("payment_intent.succeeded"))
        .await;
    shop.control().treat(Treatment::twice(1).of("refund.created")).await;
    let id = shop.captured("700", "pm_card_visa").await;
    shop.refund(&id, "100").await;
    let told = ["refund.created", "refund.created", "charge.refunded", "payment_intent.succeeded"];
    assert_eq!(kinds(&got, 4).await, told);
}

#[tokio::test]
async fn held_webhooks_come_when_the_test_delivers_them() {
    let (url, got) = endpoint(0).await;
    let shop = shop_with(&url, true).await;
    shop.captured("700", "pm_card_visa").await;
    let events = shop.control().events().await;
    assert_eq!(got.lock().unwrap().len(), 0);
    let (held, captured) = (events[0].id.as_str(), events[1].id.as_str());
    assert_eq!(shop.control().deliver(&[captured, held, captured]).await, [200, 200, 200]);
    let told =
        ["payment_intent.succeeded", "payment_intent.amount_capturable_updated", "payment_intent.succeeded"];
    assert_eq!(kinds(&got, 3).await, told);
}

#[tokio::test]
async fn a_webhook_that_is_refused_comes_again() {
    let (url, got) = endpoint(2).await;
    let shop = shop_with(&url, false).await;
    shop.held("700", "pm_card_visa").await;
    let kind = "payment_intent.amount_capturable_updated";
    assert_eq!(kinds(&got, 3).await, [kind; 3]);
    while shop.control().delivered().await.len() < 3 {
        tokio::task::yield_now().await;
    }
    let statuses = shop.control().delivered().await;
    assert_eq!(statuses.iter().map(|d| d.status).collect::<Vec<_>>(), [500, 500, 200]);
}
