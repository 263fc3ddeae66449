//! What a consumer outside reads from the built-in broker: every commit's events, in order, and again after a restart.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{PATIENCE, Shop, order_of};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

const TOPICS: [&str; 5] =
    ["checkout.events", "order.events", "payment.events", "inventory.events", "cart.events"];

struct Event {
    topic: String,
    key: String,
    headers: BTreeMap<String, String>,
    payload: Value,
}

impl Event {
    /// The last words of its type: `order.placed`.
    fn kind(&self) -> &str {
        let kind = self.headers["ce_type"].strip_prefix("com.backstitch.").unwrap();
        kind.strip_suffix(".v1").unwrap()
    }
}

/// Reads every topic from its beginning until `enough` says so of the events so far.
async fn read(shop: &Shop, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", shop.up().address("kafka"))
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    let known = consumer.fetch_metadata(None, PATIENCE).unwrap();
    for topic in known.topics().iter().filter(|topic| topic.name().ends_with(".events")) {
        for partition in topic.partitions() {
            places.add_partition_offset(topic.name(), partition.id(), Offset::Beginning).unwrap();
        }
    }
    for topic in TOPICS {
        assert!(!places.elements_for_topic(topic).is_empty(), "there is no {topic}");
    }
    consumer.assign(&places).unwrap();
    let mut events = Vec::new();
    let reading = async {
        while !enough(&events) {
            let message = consumer.recv().await.unwrap();
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            let headers = message.headers().unwrap().iter();
            events.push(Event {
                topic: message.topic().to_owned(),
                key: text(message.key()),
                headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
                payload: serde_json::from_slice(message.payload().unwrap()).unwrap(),
            });
        }
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    assert!(read.is_ok(), "after {} events: {:?}", events.len(), kinds(&events));
    events
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(Event::kind).collect()
}

/// Kinds of a checkout's own events, in order, duplicates of the same event left out.
fn story(events: &[Event], key: &str, topic: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let of_key = events.iter().filter(|event| event.key == key && event.topic == topic);
    let first = of_key.filter(|event| seen.insert(event.headers["ce_id"].clone()));
    first.map(|event| event.kind().to_owned()).collect()
}

/// Numbers of the first appearances, per source and key: 1, 2, 3 …
fn are_in_order(events: &[Event]) {
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    for event in events.iter().filter(|event| seen.insert(event.headers["ce_id"].clone())) {
        let sequence: u64 = event.headers["ce_sequence"].parse().unwrap();
        let before = last.entry((event.headers["ce_source"].clone(), event.key.clone())).or_default();
        assert_eq!(sequence, *before + 1, "{} of {}", event.kind(), event.key);
        *before = sequence;
        assert_eq!(event.headers["ce_specversion"], "1.0");
        assert!(event.payload.is_object());
    }
}

#[tokio::test]
async fn every_commit_s_events_are_read_in_order_and_again_after_a_restart() {
    let mut shop = Shop::stocked().await;
    let mut ids = Vec::new();
    for token in ["tok_ok", "tok_declined"] {
        shop.fill(token, &[("A", 2)]).await;
        ids.push(shop.check_out(token, &order_of(token, token)).await.text("/checkout_id").to_owned());
    }
    // At once, while it is up.
    let told = |events: &[Event]| {
        let told = kinds(events);
        ["checkout.completed", "checkout.compensated", "order.placed"].iter().all(|kind| told.contains(kind))
    };
    let live = read(&shop, told).await;
    are_in_order(&live);
    let placed = live.iter().find(|event| event.kind() == "order.placed").unwrap();
    assert_eq!((placed.topic.as_str(), placed.key.as_str()), ("order.events", ids[0].as_str()));

    shop.stop().await;
    let kept = shop.audit().1["counts"]["events"].as_u64().unwrap();
    // The broker was the process's own and is gone with it; the rows that it published are not.
    shop.start().await;
    let distinct = |events: &[Event]| {
        let ids: BTreeSet<_> = events.iter().map(|event| &event.headers["ce_id"]).collect();
        u64::try_from(ids.len()).unwrap()
    };
    let again = read(&shop, |events| distinct(events) >= kept).await;
    are_in_order(&again);
    assert_eq!(distinct(&again), kept);
    let ids_again: BTreeSet<_> = again.iter().map(|event| &event.headers["ce_id"]).collect();
    assert!(live.iter().all(|event| ids_again.contains(&event.headers["ce_id"])));

    let story = |id: &str, topic: &str| story(&again, id, topic);
    assert_eq!(story(&ids[0], "checkout.events"), ["checkout.started", "checkout.completed"]);
    assert_eq!(story(&ids[1], "checkout.events"), ["checkout.started", "checkout.compensated"]);
    assert_eq!(story(&ids[0], "order.events"), ["order.placed"]);
    // What does not stand is nobody's business.
    assert_eq!(story(&ids[1], "order.events"), Vec::<String>::new());
    shop.close().await;
}
