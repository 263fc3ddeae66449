//! From an effect's transaction to a consumer outside, through real librdkafka on both sides.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::{NOW, Outbox, event};
use outbox_relay::{EmbeddedBroker, KafkaOptions, KafkaSink, Options, Relay, Source};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

struct Received {
    key: String,
    payload: String,
    at_ms: i64,
    headers: BTreeMap<String, String>,
}

/// Reads the next `count` messages of a topic from its beginning.
async fn consume(broker: &EmbeddedBroker, topic: &str, count: usize) -> Vec<Received> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..3 {
        partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let mut received = Vec::new();
    for _ in 0..count {
        let message = tokio::time::timeout(Duration::from_secs(30), consumer.recv()).await.unwrap().unwrap();
        let headers = message
            .headers()
            .unwrap()
            .iter()
            .map(|header| (header.key.to_owned(), String::from_utf8(header.value.unwrap().to_vec()).unwrap()))
            .collect();
        received.push(Received {
            key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
            payload: String::from_utf8(message.payload().unwrap().to_vec()).unwrap(),
            at_ms: message.timestamp().to_millis().unwrap(),
            headers,
        });
    }
    received
}

fn relay(outbox: &Outbox, broker: &EmbeddedBroker) -> Relay {
    let options = KafkaOptions {
        message_timeout: Duration::from_secs(30),
        ..KafkaOptions::new(broker.bootstrap_servers())
    };
    let sink = KafkaSink::new(options).unwrap();
    Relay::new(Arc::new(outbox.source.clone()), Arc::new(sink), Options::default())
}

#[tokio::test]
async fn a_consumer_outside_reads_the_event_with_its_cloudevents_headers() {
    let broker = EmbeddedBroker::start(&["order.events"]).unwrap();
    let outbox = Outbox::open().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    outbox.append(&event("saga-1", "order-7").traced(traceparent)).await.unwrap();
    let event_id = outbox.source.pending(1).await.unwrap()[0].event_id;
    assert_eq!(relay(&outbox, &broker).tick(NOW).await.unwrap().published, 1);

    let received = consume(&broker, "order.events", 1).await.remove(0);
    assert_eq!((received.key.as_str(), received.payload.as_str()), ("saga-1", "\"order-7\""));
    assert_eq!(received.at_ms, NOW);
    let expected = BTreeMap::from(
        [
            ("ce_specversion", "1.0"),
            ("ce_id", &event_id.to_string()),
            ("ce_source", "/backstitch/order"),
            ("ce_type", "com.backstitch.order.placed.v1"),
            ("ce_subject", "order-7"),
            ("ce_time", "2025-10-09T08:53:20.000Z"),
            ("ce_sequence", "1"),
            ("ce_sequencetype", "Integer"),
            ("content-type", "application/json"),
            ("traceparent", traceparent),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(received.headers, expected);
}

#[tokio::test]
async fn an_event_without_trace_context_has_no_traceparent_header() {
    let broker = EmbeddedBroker::start(&["order.events"]).unwrap();
    let outbox = Outbox::open().await;
    outbox.commit("saga-1", "order-7").await;
    relay(&outbox, &broker).tick(NOW).await.unwrap();
    let received = consume(&broker, "order.events", 1).await.remove(0);
    assert!(!received.headers.contains_key("traceparent"));
}

#[tokio::test]
async fn order_per_key_arrives_over_many_partitions() {
    let broker = EmbeddedBroker::start(&["order.events"]).unwrap();
    let outbox = Outbox::open().await;
    for n in 0..60 {
        outbox.commit(&format!("saga-{}", n % 7), "order").await;
    }
    assert_eq!(relay(&outbox, &broker).tick(NOW).await.unwrap().published, 60);
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for received in consume(&broker, "order.events", 60).await {
        let sequence: i64 = received.headers["ce_sequence"].parse().unwrap();
        let before = last.insert(received.key.clone(), sequence).unwrap_or(0);
        assert_eq!(sequence, before + 1, "{}", received.key);
    }
}

#[tokio::test]
async fn a_broker_that_forgot_everything_is_filled_again_with_the_window() {
    let outbox = Outbox::open().await;
    let first = EmbeddedBroker::start(&["order.events"]).unwrap();
    for key in ["a", "b", "a"] {
        outbox.commit(key, "order").await;
    }
    assert_eq!(relay(&outbox, &first).tick(NOW).await.unwrap().published, 3);
    drop(first);

    let second = EmbeddedBroker::start(&["order.events"]).unwrap();
    let relay = relay(&outbox, &second);
    assert_eq!(relay.replay_window(Duration::from_secs(3600), NOW + 1000).await.unwrap(), 3);
    assert_eq!(relay.tick(NOW + 1000).await.unwrap().published, 0, "the marks are not touched");
    let of_a: Vec<_> = consume(&second, "order.events", 3)
        .await
        .into_iter()
        .filter(|received| received.key == "a")
        .map(|received| received.headers["ce_sequence"].clone())
        .collect();
    assert_eq!(of_a, ["1", "2"]);
}
