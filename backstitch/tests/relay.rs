//! The relay as a role of its own: real Postgres, real Kafka, one relay that dies and one that takes over.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use backstitch_proto::ids::derived;
use backstitch_proto::shipping::MarkShippedRequest;
use backstitch_proto::shipping::shipping_client::ShippingClient;
use backstitch_services::{Kafka, Service as _, fresh_database};
use common::{PATIENCE, Process, Shop, order_of, program, run, until};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use uuid::Uuid;

const TOPICS: [&str; 6] = [
    "checkout.events",
    "order.events",
    "payment.events",
    "inventory.events",
    "cart.events",
    "shipping.events",
];

/// First appearances by source and key must be 1, 2, 3 …; answers the kinds, repetitions left out. None while the topics
/// cannot be read.
async fn published(brokers: &str) -> Option<Vec<String>> {
    let config = [("bootstrap.servers", brokers), ("group.id", "outside")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let reader: StreamConsumer = ClientConfig::from_iter(config).create().unwrap();
    let (mut places, mut ends) = (TopicPartitionList::new(), 0);
    for topic in TOPICS {
        for partition in 0..3 {
            let (low, high) = reader.fetch_watermarks(topic, partition, PATIENCE).ok()?;
            ends += high - low;
            places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
    }
    reader.assign(&places).unwrap();
    let (mut seen, mut kinds) = (BTreeSet::new(), Vec::new());
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    for _ in 0..ends {
        let message = tokio::time::timeout(PATIENCE, reader.recv()).await.unwrap().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().unwrap();
        let headers: BTreeMap<_, _> =
            headers.iter().map(|header| (header.key, text(header.value.unwrap()))).collect();
        if seen.insert(headers["ce_id"].clone()) {
            let key = (headers["ce_source"].clone(), text(message.key().unwrap()));
            let before = last.entry(key).or_default();
            assert_eq!(headers["ce_sequence"].parse::<u64>().unwrap(), *before + 1, "{headers:?}");
            *before += 1;
            kinds.push(headers["ce_type"].clone());
        }
    }
    Some(kinds)
}

async fn ask(relay: &Process, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", relay.address("http"))).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn ready(relay: &Process) -> (u16, Value) {
    let (code, body) = ask(relay, "/readyz").await;
    (code, serde_json::from_str(&body).unwrap())
}

async fn holds(relay: &Process) -> bool {
    let (_, body) = ready(relay).await;
    body["lanes"]["held"] == body["lanes"]["of"]
}

/// Waits until so many events of a kind are published.
async fn until_published(brokers: &str, kind: &str, count: usize) -> Vec<String> {
    let kind = format!("com.backstitch.{kind}.v1");
    let all = async || {
        let kinds = published(brokers).await?;
        (kinds.iter().filter(|known| **known == kind).count() >= count).then_some(kinds)
    };
    until(&format!("{count} of {kind} are published"), all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_take_over_from_each_other_and_outlive_kafka_and_nothing_is_lost() {
    let kafka = Kafka::start();
    let (brokers, database) = (kafka.brokers(), fresh_database("relay"));
    let mut shop = Shop::closed();
    let directory = shop.data().parent().unwrap().to_owned();
    let migrated = run(program(&directory).args(["migrate", "--database-url", &database]));
    assert_eq!(migrated.code, Some(0), "{migrated:?}");

    let at_kafka = ["--kafka", &brokers, "--kafka-partitions", "3"];
    let server = ["--database-url", &database];
    let any = ["--listen", "127.0.0.1:0", "--no-relay"];
    let participants = shop.start_beside(&[("participants", &[&server[..], &at_kafka, &any].concat())]).await;
    let uris = participants.iter().map(|(name, at)| (name.clone(), format!("http://{at}"))).collect();
    let orchestrator = format!("{database}_orchestrator");
    shop.start_orchestrator_with(&uris, &["--database-url", &orchestrator]).await;
    let args = ["relay", "--http", "127.0.0.1:0", "--lease", "1s", "--message-timeout", "2s"];
    let args = [&args[..], &server, &at_kafka].concat();
    let mut first = Process::start("relay-1", &args, &directory).await;
    until("the first relay has the lanes", async || holds(&first).await.then_some(())).await;
    let second = Process::start("relay-2", &args, &directory).await;
    shop.put_a_and_b().await;

    let check_out = async |name: &str| {
        shop.fill(name, &[("A", 1)]).await;
        let done = shop.check_out(name, &order_of(name, "tok_ok")).await;
        assert_eq!(done.text("/status"), "completed");
        Uuid::parse_str(done.text("/checkout_id")).unwrap()
    };
    let shipped = check_out("one").await;
    until_published(&brokers, "checkout.completed", 1).await;
    let (_, metrics) = ask(&first, "/metrics").await;
    let lag = |source: &str| metrics.contains(&format!("outbox_oldest_seconds{{source=\"{source}\"}}"));
    assert!(lag("lane-0") && lag("order") && lag("shipping"), "{metrics}");
    assert_eq!(ready(&second).await.1["lanes"]["held"], 0, "one relay has a lane");

    // Its term, and what it may have had on the way, go by before the other one begins.
    first.kill();
    let left_behind = check_out("two").await;
    until("the second relay takes over", async || holds(&second).await.then_some(())).await;
    until_published(&brokers, "checkout.completed", 2).await;

    kafka.kill();
    let told = async || Some(ready(&second).await).filter(|(code, _)| *code == 503);
    let (_, why) = until("readiness tells of Kafka", told).await;
    assert!(why["parts"].to_string().contains(&brokers), "{why}");
    check_out("three").await;
    assert_eq!(shop.get("/readyz").await.ok().text("/status"), "ready", "no checkout needs Kafka");
    kafka.start_again();
    until_published(&brokers, "checkout.completed", 3).await;
    until("it is ready again", async || (ready(&second).await.0 == 200).then_some(())).await;
    assert!(second.said().contains(&brokers), "the log names the broker: {}", second.said());

    // The whole way: a scan, three hops through Kafka, one mail.
    let at = format!("http://{}", participants["shipping"]);
    let mut carrier = ShippingClient::connect(at).await.unwrap();
    let shipment_id = derived(shipped, "shipment").to_string();
    carrier.mark_shipped(MarkShippedRequest { shipment_id }).await.unwrap();
    let mail = async || {
        let mails = std::fs::read_dir(shop.data().join("mail")).ok()?;
        let read = mails.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        read.into_iter().find(|mail| mail.contains("has been sent"))
    };
    until("the mail is written", mail).await;

    let kinds = until_published(&brokers, "order.shipped", 1).await;
    let of = |kind: &str| kinds.iter().filter(|known| **known == format!("com.backstitch.{kind}.v1")).count();
    assert_eq!((of("checkout.started"), of("checkout.completed")), (3, 3), "{kinds:?}");
    assert_eq!((of("order.placed"), of("payment.captured"), of("order.shipped")), (3, 3, 1), "{kinds:?}");
    assert_ne!(left_behind, shipped);
    assert_eq!(shop.differences().await, Vec::<Value>::new());
    second.stop().await;
    shop.stop().await;
}

#[test]
fn what_is_missing_is_said_with_the_option() {
    let home = tempfile::tempdir().unwrap();
    let relay = |args: &[&str]| {
        let said = run(program(home.path()).args(["relay", "--http", "127.0.0.1:0"]).args(args));
        assert_eq!(said.code, Some(1), "{said:?}");
        said.err
    };
    let empty = relay(&["--kafka", "127.0.0.1:9", "--data", "nothing"]);
    assert!(empty.contains("--data nothing") && empty.contains("--database-url"), "{empty}");
    let away =
        relay(&["--kafka", "127.0.0.1:9", "--database-url", "postgres://nobody:secret@127.0.0.1:9/shop"]);
    assert!(away.contains("--database-url") && away.contains("orchestrator"), "{away}");
    assert!(!away.contains("secret"), "{away}");
    let unmigrated = relay(&["--kafka", "127.0.0.1:9", "--database-url", &fresh_database("bare")]);
    assert!(unmigrated.contains("orchestrator") && unmigrated.contains("--database-url"), "{unmigrated}");
}

/// A directory that nobody has open is drained, and a closed one is left with nothing behind.
#[tokio::test]
async fn a_directory_s_backlog_is_published_while_nobody_has_it() {
    let kafka = Kafka::start();
    let brokers = kafka.brokers();
    let mut shop = Shop::closed();
    let directory = shop.data().parent().unwrap().to_owned();
    let participants = shop.start_beside(&[("participants", &["--listen", "127.0.0.1:0"])]).await;
    let uris = participants.iter().map(|(name, at)| (name.clone(), format!("http://{at}"))).collect();
    // Nobody listens there: what it cannot publish is kept.
    shop.start_orchestrator_with(&uris, &["--kafka", "127.0.0.1:9"]).await;
    let told =
        async || Some(shop.get("/readyz").await.ok()).filter(|said| said.text("/status") == "degraded");
    let said = until("readiness tells of Kafka", told).await;
    assert!(
        said.text("/parts/0/part") == "kafka" && said.text("/parts/0/why").contains("127.0.0.1:9"),
        "{said:?}"
    );
    shop.put_a_and_b().await;
    shop.fill("cart", &[("A", 1)]).await;
    assert_eq!(shop.check_out("k", &order_of("cart", "tok_ok")).await.text("/status"), "completed");

    let data = shop.data().display().to_string();
    let args = ["relay", "--http", "127.0.0.1:0", "--data", &data, "--kafka", &brokers];
    let args = [&args[..], &["--kafka-partitions", "3"]].concat();
    let refused = run(program(&directory).args(&args));
    assert!(refused.code == Some(1) && refused.err.contains("in use by another process"), "{refused:?}");
    assert_eq!(shop.differences().await, Vec::<Value>::new());
    shop.stop().await;

    let relay = Process::start("relay", &args, &directory).await;
    let topics_are_there = async || (ready(&relay).await.0 == 200).then_some(());
    until("the relay is ready", topics_are_there).await;
    let kinds = until_published(&brokers, "checkout.completed", 1).await;
    assert!(kinds.iter().any(|kind| kind == "com.backstitch.order.placed.v1"), "{kinds:?}");
    relay.stop().await;
    let (said, report) = shop.audit();
    assert_eq!((said.code, &report["violations"]), (Some(0), &serde_json::json!([])), "{report:#}");
}
