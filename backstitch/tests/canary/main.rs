//! A card number in any text that a client can send is refused where it is, and is nowhere afterwards: in no log (at its
//! loudest), trace, journal, database, mail, event, metric or answer.
//!
//! What there is to send is read off the descriptions that the program itself gives of its faces, so that a new route
//! is tried as soon as it is described. `./test` looks for the same number in what the whole suite has printed.

#![allow(clippy::unwrap_used)]

mod collector;
#[path = "../common/mod.rs"]
mod common;
mod events;
mod grpc;
mod http;
mod search;
mod webhooks;

use std::path::Path;

use collector::Collector;
use common::{Shop, order_of, until, with};
use search::Found;
use serde_json::json;

/// A card number that is nobody's; its first digits are a brand's, its check digit is right.
pub(crate) const CANARY: &str = "4929135792468013";

/// As people write it.
pub(crate) fn spellings() -> [String; 3] {
    [String::new(), " ".to_owned(), "-".to_owned()].map(|between| {
        let groups: Vec<_> = (0..4).map(|i| &CANARY[4 * i..4 * i + 4]).collect();
        groups.join(&between)
    })
}

/// What is found where it should be: a search that finds nothing else either says nothing.
pub(crate) const MARKER: &str = "Marker-7319";

/// The trace of a client, and a span of it.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_card_number_in_any_text_is_refused_and_is_nowhere_afterwards() {
    let collector = Collector::start().await;
    let mut shop = Shop::closed();
    let uri = collector.uri();
    let secret = shop.directory().join("webhook-secret");
    std::fs::write(&secret, webhooks::SECRET).unwrap();
    let secret = secret.display().to_string();
    let door = ["--webhooks", "127.0.0.1:0", "--stripe-webhook-secret-file", &secret];
    let loud = ["--log", "trace", "--log-format", "json", "--otlp", &uri];
    shop.start_with(&[&loud[..], &door].concat()).await;
    let mut found = Found::default();

    // A sale with the marker in what a customer can say.
    shop.put_a_and_b().await;
    shop.fill("sold", &[("A", 1)]).await;
    let order = with(order_of("sold", "tok_ok"), "/shipping_address/name", json!(MARKER));
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let begun = shop.checkout_request("sold", &order).header("traceparent", traceparent);
    let id = shop.send(begun).await.ok().text("/checkout_id").to_owned();
    assert_eq!(shop.rested(&id).await.text("/status"), "completed");
    shop.fill("cart", &[("A", 1)]).await;

    let (mut places, mut sent) = (0, 0);
    for canary in spellings() {
        let faces = [
            http::tries(&shop, &canary).await,
            grpc::tries(&shop, &canary).await,
            webhooks::tries(&shop, &canary).await,
        ];
        for answer in faces.into_iter().flatten() {
            sent += 1;
            places += usize::from(answer.is_a_place);
            found.look("an answer", answer.said.as_bytes());
        }
    }
    // As many as there were when this was written: a description that lost its routes would try nothing.
    assert!(places >= 3 * 40 && sent >= places + 3 * 20, "{places} places, {sent} requests");

    for path in ["/metrics", "/api/v1/products", "/operator/v1/sagas", "/operator/v1/definitions", "/readyz"]
    {
        let text = shop.request(reqwest::Method::GET, path).send().await.unwrap().text().await.unwrap();
        found.look(path, text.as_bytes());
    }
    let saga = shop.saga(&id).await;
    found.look("the operator's view", saga.body.to_string().as_bytes());
    found.look("Kafka", &events::read(shop.up().address("kafka")).await);
    mailed(&shop).await;
    let directory = shop.data().parent().unwrap().to_owned();
    all_files(&mut found, &directory);
    let log = shop.up().said();
    assert!(
        log.contains("\"level\":\"TRACE\"") && log.contains("\"level\":\"DEBUG\""),
        "the log is not loud"
    );
    shop.stop().await;
    // What it says at its end, and what is in the files once their logs are copied over.
    all_files(&mut found, &directory);
    found.look("traces", &collector.received());

    found.has(MARKER, &["orchestrator.db", "order.db", "mail/"]);
    found.has(&id, &["the operator's view", "Kafka", "up.log"]);
    assert!(collector.has(TRACE), "no trace was exported");
    found.has_no(&spellings());
}

/// Until the customer was written to.
async fn mailed(shop: &Shop) {
    let mailbox = shop.data().join("mail");
    until("a mail is there", async || {
        let mails = std::fs::read_dir(&mailbox).ok()?;
        (mails.count() > 0).then_some(())
    })
    .await;
}

fn all_files(found: &mut Found, directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(found, &path);
        } else {
            // What is gone meanwhile is nowhere.
            found.look(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default());
        }
    }
}
