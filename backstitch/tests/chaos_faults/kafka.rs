//! Kafka that is away and badly connected: checkouts go on without it, and what they have to tell is told in order when
//! it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backstitch_faults::{Dice, TcpProxy};
use backstitch_services::{Kafka, Service as _};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::books::{self, Books};
use crate::common::Shop;
use crate::customers::{Customer, all_have_ended};
use crate::outage::{blocking, has_lasted, meanwhile};
use crate::stage::PATIENCE;
use crate::table::{self, Row};
use crate::{checkouts, outage, seed, stage};

/// What a consumer can see of an event.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    source: String,
    key: String,
    kind: String,
    sequence: u64,
}

/// Longer than a relay may pause after trouble, and a message be on its way.
const SILENCE: Duration = Duration::from_secs(22);

/// Reads every topic from its beginning until every one of these checkouts has told its end.
async fn read(brokers: &str, checkouts: &BTreeSet<String>) -> Vec<Event> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "observer")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let known = blocking({
        let consumer = Arc::new(consumer);
        move || (consumer.fetch_metadata(None, PATIENCE).unwrap(), consumer)
    })
    .await;
    let (known, consumer) = known;
    let mut places = TopicPartitionList::new();
    for topic in known.topics().iter().filter(|topic| topic.name().ends_with(".events")) {
        for partition in topic.partitions() {
            places.add_partition_offset(topic.name(), partition.id(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&places).unwrap();
    let (mut events, mut waiting) = (Vec::new(), checkouts.clone());
    // A broker that has just come back still refuses now and then; the reader goes on, and the whole is bounded.
    let hear = async || loop {
        if let Ok(message) = consumer.recv().await {
            break message;
        }
    };
    let reading = async {
        // Some silence after the last end: what the participants have to tell may come later, by as much as a relay's
        // longest pause and a message's time on its way.
        while let Some(message) = match waiting.is_empty() {
            false => Some(hear().await),
            true => tokio::time::timeout(SILENCE, hear()).await.ok(),
        } {
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            let headers: BTreeMap<_, _> =
                message.headers().unwrap().iter().map(|header| (header.key, text(header.value))).collect();
            let event = Event {
                id: headers["ce_id"].clone(),
                source: headers["ce_source"].clone(),
                key: text(message.key()),
                kind: headers["ce_type"].clone(),
                sequence: headers["ce_sequence"].parse().unwrap(),
            };
            if event.kind.contains("checkout.completed") || event.kind.contains("checkout.compensated") {
                waiting.remove(&event.key);
            }
            events.push(event);
        }
    };
    let read = tokio::time::timeout(PATIENCE + outage::length(), reading).await;
    assert!(read.is_ok(), "after {} events, these have not told their end: {waiting:?}", events.len());
    events
}

/// First appearances that are out of order, or follow a gap: of every source and key they are 1, 2, 3 …
fn disorder(events: &[Event]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut found = Vec::new();
    for event in events.iter().filter(|event| seen.insert(&event.id)) {
        let last = last.entry((&event.source, &event.key)).or_default();
        if event.sequence != *last + 1 {
            found.push(format!("{event:?} follows number {last}"));
        }
        *last = event.sequence;
    }
    found
}

/// How many there are, each counted once.
fn distinct(events: &[Event]) -> usize {
    events.iter().map(|event| &event.id).collect::<BTreeSet<_>>().len()
}

/// Stops the shop, and has everybody judge: what was told must be in order and all that was committed.
async fn judge(what: &str, shop: Shop, customers: &[Customer], events: &[Event], injected: String) {
    let books = Books::of(&shop, customers).await;
    let (ends, mut found) = books::close(shop, customers, books).await;
    found.extend(disorder(events));
    let told = distinct(events);
    if u64::try_from(told).unwrap() != ends.events {
        found.push(format!("{told} events were told of {}", ends.events));
    }
    let repeated = events.len() - told;
    table::row(&Row {
        what,
        work: format!("{} checkouts: {ends}; {told} events, {repeated} repeated", customers.len()),
        injected,
        violations: &found,
    });
}

fn ids(customers: &[Customer]) -> BTreeSet<String> {
    customers.iter().filter_map(|customer| customer.checkout.clone()).collect()
}

#[tokio::test]
async fn kafka_away_holds_up_no_checkout_and_is_told_everything_in_order_when_it_is_back() {
    let kafka = Arc::new(blocking(Kafka::start).await);
    let brokers = kafka.brokers();
    let shop = stage::open(&["--kafka", &brokers], &["--kafka", &brokers]).await;
    let mut customers = Vec::new();
    meanwhile(&shop, &mut customers, checkouts(20), async {}).await;
    let mut outages = 0;
    for frozen in [false, true] {
        let begun = Instant::now();
        let away = kafka.clone();
        blocking(move || if frozen { away.freeze() } else { away.kill() }).await;
        meanwhile(&shop, &mut customers, checkouts(30), async {}).await;
        // All of them, although it is still away.
        all_have_ended(&shop, &customers).await;
        if !frozen {
            has_lasted(begun).await;
        }
        let back = kafka.clone();
        blocking(move || if frozen { back.thaw() } else { back.start_again() }).await;
        outages += 1;
    }
    let events = read(&brokers, &ids(&customers)).await;
    let injected = format!("{outages} outages, in which every checkout ended");
    judge("Kafka: killed, frozen", shop, &customers, &events, injected).await;
}

#[tokio::test]
async fn bad_connections_to_kafka_repeat_events_perhaps_and_never_lose_or_overtake_one() {
    let seed = seed("kafka");
    // The broker tells clients to come to its advertised address, which is the proxy's.
    let proxy = TcpProxy::before("127.0.0.1:9").await.unwrap();
    let brokers = proxy.address().to_string();
    let advertised = format!("PLAINTEXT://{brokers}");
    let kafka = blocking(move || Kafka::start_with(&[("advertised.listeners", &advertised)])).await;
    proxy.lead_to(&kafka.brokers());
    let shop = stage::open(&["--kafka", &brokers], &["--kafka", &brokers]).await;
    let mut customers = Vec::new();
    let storm = proxy.storm(Dice::new(seed), Duration::from_millis(400));
    meanwhile(&shop, &mut customers, checkouts(60), async {}).await;
    all_have_ended(&shop, &customers).await;
    storm.stop().await;
    let events = read(&brokers, &ids(&customers)).await;
    let tally = proxy.tally().clone();
    judge("connections to Kafka", shop, &customers, &events, tally.to_string()).await;
    assert!(tally.of("broken") > 5, "{tally}");
}

#[test]
fn planted_an_event_that_is_lost_or_overtaken_is_found() {
    let event = |sequence: u64| Event {
        id: format!("id-{sequence}"),
        source: "a".into(),
        key: "k".into(),
        kind: "x".into(),
        sequence,
    };
    let told = |order: &[u64]| disorder(&order.iter().map(|n| event(*n)).collect::<Vec<_>>());
    // A repetition is allowed, also of many at once.
    assert!(told(&[1, 2, 3, 1, 2, 3, 4]).is_empty());
    for wrong in [&[1, 3][..], &[2, 1], &[2], &[1, 2, 4, 3]] {
        assert!(!told(wrong).is_empty(), "{wrong:?}");
    }
}
