//! What a consumer reads: keys, headers and payloads of every event, as bytes.

use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::common::PATIENCE;

/// Reads every topic until a checkout has completed and its order was placed.
pub(crate) async fn read(brokers: &str) -> Vec<u8> {
    let consumer: StreamConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "canary").create().unwrap();
    let mut places = TopicPartitionList::new();
    let known = consumer.fetch_metadata(None, PATIENCE).unwrap();
    for topic in known.topics().iter().filter(|topic| topic.name().ends_with(".events")) {
        for partition in topic.partitions() {
            places.add_partition_offset(topic.name(), partition.id(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&places).unwrap();
    let (mut all, mut missing) = (Vec::new(), vec!["checkout.completed", "order.placed"]);
    let reading = async {
        while !missing.is_empty() {
            let message = consumer.recv().await.unwrap();
            all.extend_from_slice(message.key().unwrap_or_default());
            all.extend_from_slice(message.payload().unwrap_or_default());
            for header in message.headers().unwrap().iter() {
                all.extend_from_slice(header.key.as_bytes());
                let value = header.value.unwrap_or_default();
                all.extend_from_slice(value);
                missing.retain(|kind| !String::from_utf8_lossy(value).contains(kind));
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    all
}
