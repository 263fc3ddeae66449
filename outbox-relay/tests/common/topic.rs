//! What is in a topic of a real Kafka, read from outside.
// Every test binary uses a part of this.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use uuid::Uuid;

/// A broker that has just come back answers late.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) key: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Read {
    pub(crate) fn sequence(&self) -> i64 {
        self.headers["ce_sequence"].parse().unwrap()
    }
}

/// A topic's name that no other test has.
pub(crate) fn topic(name: &str) -> String {
    format!("{name}.{}", Uuid::now_v7().simple())
}

pub(crate) fn reader(brokers: &str) -> StreamConsumer {
    let config =
        [("bootstrap.servers", brokers), ("group.id", "outside"), ("reconnect.backoff.max.ms", "500")];
    ClientConfig::from_iter(config.map(|(name, value)| (name.to_owned(), value.to_owned()))).create().unwrap()
}

/// How many partitions a topic has; none if it is not there.
pub(crate) fn partitions(reader: &StreamConsumer, topic: &str) -> Option<i32> {
    let metadata = reader.fetch_metadata(None, PATIENCE).unwrap();
    let found = metadata.topics().iter().find(|known| known.name() == topic)?;
    Some(i32::try_from(found.partitions().len()).unwrap())
}

/// Everything in a topic now.
pub(crate) async fn all(brokers: &str, topic: &str) -> Vec<Read> {
    let reader = reader(brokers);
    let (mut places, mut ends) = (TopicPartitionList::new(), 0);
    for partition in 0..partitions(&reader, topic).unwrap_or(0) {
        let (low, high) = reader.fetch_watermarks(topic, partition, PATIENCE).unwrap();
        ends += high - low;
        places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    reader.assign(&places).unwrap();
    let mut found = Vec::new();
    for _ in 0..ends {
        let message = tokio::time::timeout(PATIENCE, reader.recv()).await.unwrap().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = message.headers().map(|headers| {
            let headers = headers.iter();
            headers.map(|h| (h.key.to_owned(), text(h.value.unwrap_or_default()))).collect()
        });
        let headers = headers.unwrap_or_default();
        found.push(Read { key: text(message.key().unwrap_or_default()), headers });
    }
    found
}

/// First appearances by key are 1, 2, 3 …; answers how many keys and events there are.
pub(crate) fn whole_and_in_order(read: &[Read]) -> (usize, usize) {
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for one in read.iter().filter(|one| seen.insert(one.headers["ce_id"].clone())) {
        let before = last.entry(&one.key).or_default();
        assert_eq!(one.sequence(), *before + 1, "{} has a gap or an overtaking", one.key);
        *before += 1;
    }
    (last.len(), seen.len())
}
