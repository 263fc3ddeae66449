//! A relay that dies between publishing and marking, and what a consumer outside reads after another has gone on.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_services::kafka_brokers;
use backstitch_store::EVENT_SOURCE;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::json;

use crate::books;
use crate::common::{PATIENCE, until};
use crate::crowd::Crowd;
use crate::customers::{Customer, KINDS, Told};
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::{Point, Who};
use crate::returners::{Returner, WHOLE};
use crate::run::Outcome;
use crate::stage::Stage;

const TOPICS: [&str; 6] = [
    "checkout.events",
    "order.events",
    "payment.events",
    "inventory.events",
    "cart.events",
    "shipping.events",
];
const PARTITIONS: i32 = 3;
/// More than the saga store has: those that it lacks are never reached.
const LANES: usize = 64;

/// Customers shop, and one sends it back, while nobody publishes. Then a relay dies at a place, and another one publishes
/// what is left.
pub(crate) async fn relay(point: Point, engines: Engines, seed: u64) -> Outcome {
    let mut stage = Stage::new(&engines).await;
    stage.open(Who::Orchestrator, "").await;
    let mut kinds = KINDS;
    kinds[0].returns = &[WHOLE];
    let mut crowd = Crowd::new(&kinds, &stage.doors, &Dice::of(seed, &point.name));
    crowd.come();
    let customers = crowd.all_rest().await;
    let mut told: Vec<Told> = customers.into_iter().map(Customer::told).collect();
    let mut returned = Vec::new();
    for mut returner in Returner::all(&told, &stage.doors) {
        returner.send_back().await;
        returned.push(returner.told());
    }
    let mut outcome = Outcome { kills: 1, ..Outcome::default() };
    outcome.close_returns(&mut returned);
    outcome.close(&mut told, &[]);
    outcome.violations.extend(books::compare(&mut stage, &told, &returned, true).await);

    let brokers = kafka_brokers();
    let armed = match point.name.strip_suffix("lane") {
        Some(place) => {
            (0..LANES).map(|lane| format!("{place}lane-{lane}=abort")).collect::<Vec<_>>().join(",")
        }
        None => format!("{}=abort", point.name),
    };
    stage.employ_relay(&brokers, PARTITIONS);
    stage.spawn(Who::Relay, &armed);
    let died = until("the relay dies", async || stage.has_died(Who::Relay, &point.name)).await;
    outcome.violations.extend(died.err());

    stage.start(Who::Relay, "").await;
    let all = async || published(&brokers, &told).await.filter(|events| is_all(events, &told));
    let events = until("everything is published", all).await;
    outcome.violations.extend(out_of_order(&events));
    stage.close().await;
    let report = stage.audit();
    if report["violations"] != json!([]) {
        outcome.violations.push(format!("the auditor: {:#}", report["violations"]));
    }
    outcome.tell(&point, seed, &stage);
    stage.remove().await;
    outcome
}

/// An event's first appearance.
struct Event {
    source: String,
    key: String,
    subject: String,
    sequence: u64,
    kind: String,
}

/// First appearances of these customers' events, in the order in which a consumer reads them. None while the topics
/// cannot be read.
async fn published(brokers: &str, told: &[Told]) -> Option<Vec<Event>> {
    let ids: BTreeSet<_> = told.iter().filter_map(|told| told.id.as_deref()).collect();
    let config = [("bootstrap.servers", brokers), ("group.id", "kill")];
    let config = config.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let reader: StreamConsumer = ClientConfig::from_iter(config).create().unwrap();
    let (mut places, mut ends) = (TopicPartitionList::new(), 0);
    for topic in TOPICS {
        for partition in 0..PARTITIONS {
            let (low, high) = reader.fetch_watermarks(topic, partition, PATIENCE).ok()?;
            ends += high - low;
            places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
    }
    reader.assign(&places).unwrap();
    let (mut seen, mut events) = (BTreeSet::new(), Vec::new());
    for _ in 0..ends {
        let message = tokio::time::timeout(PATIENCE, reader.recv()).await.unwrap().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().unwrap();
        let headers: BTreeMap<_, _> =
            headers.iter().map(|header| (header.key, text(header.value.unwrap()))).collect();
        let key = text(message.key().unwrap());
        if ids.contains(key.as_str()) && seen.insert(headers["ce_id"].clone()) {
            let sequence = headers["ce_sequence"].parse().unwrap();
            let [source, subject, kind] =
                ["ce_source", "ce_subject", "ce_type"].map(|name| headers[name].clone());
            events.push(Event { source, key, subject, sequence, kind });
        }
    }
    Some(events)
}

/// Whether every customer's end is told, every order that stands, and what came back of it.
fn is_all(events: &[Event], told: &[Told]) -> bool {
    let has = |key: &str, kind: &str| {
        events.iter().any(|event| event.key == key && event.kind == format!("com.backstitch.{kind}.v1"))
    };
    const SOLD: &[&str] = &["checkout.completed", "order.placed", "payment.captured"];
    const CAME_BACK: &[&str] = &["return.completed", "order.returned", "payment.refunded"];
    told.iter().all(|told| {
        let id = told.id.as_deref().unwrap_or_default();
        let wanted = match (told.is_completed(), told.kind.returns) {
            (false, _) => &["checkout.compensated"][..],
            (true, []) => SOLD,
            (true, _) => &[SOLD, CAME_BACK].concat(),
        };
        wanted.iter().all(|kind| has(id, kind))
    })
}

/// First appearances of a source and key are 1, 2, 3 …, where the source is the orchestrator those of each saga of the key,
/// and a return's come after its checkout's.
fn out_of_order(events: &[Event]) -> Vec<String> {
    let mut last: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    let (mut returned, mut wrong) = (BTreeSet::new(), Vec::new());
    for event in events {
        let is_of_a_saga = event.source == EVENT_SOURCE;
        let subject = if is_of_a_saga { event.subject.as_str() } else { "" };
        let before = last.entry((&event.source, &event.key, subject)).or_default();
        if event.sequence != *before + 1 {
            wrong.push(format!("I7: {} of {} is {} after {before}", event.kind, event.key, event.sequence));
        }
        *before = event.sequence;
        if is_of_a_saga && event.subject != event.key {
            returned.insert(&event.key);
        } else if is_of_a_saga && returned.contains(&event.key) {
            wrong.push(format!("I7: {} of {} is after what came back of it", event.kind, event.key));
        }
    }
    wrong
}
