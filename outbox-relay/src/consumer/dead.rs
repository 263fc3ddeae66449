//! Dead letters: messages that cannot be acted on go to `<topic>.dlt`, whole, with why, where from and after how many
//! attempts in their headers.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;

use super::Incoming;
use crate::topics::Topics;
use crate::{KafkaOptions, KafkaOptionsError};

/// The topic of the dead letters of `topic`.
#[must_use]
pub fn dead_letters_of(topic: &str) -> String {
    format!("{topic}.dlt")
}

pub(super) struct DeadLetters {
    group: String,
    brokers: String,
    producer: FutureProducer,
    topics: Option<Topics>,
}

impl DeadLetters {
    pub(super) fn new(group: &str, options: &KafkaOptions) -> Result<Self, KafkaOptionsError> {
        let topics =
            options.topics.map(|plan| Topics::new(options.connection(), &options.bootstrap_servers, plan));
        Ok(Self {
            group: group.to_owned(),
            brokers: options.bootstrap_servers.clone(),
            producer: options.producer()?,
            topics,
        })
    }

    /// Answers once the letter is durable there; until then nothing may pass over the message.
    pub(super) async fn bury(&self, message: &Incoming, why: &str, attempts: u32) -> Result<(), String> {
        let topic = dead_letters_of(&message.topic);
        if let Some(topics) = &self.topics {
            let wrong = topics.ensure(&BTreeSet::from([topic.as_str()])).await;
            if let Some(why) = wrong.into_values().next() {
                return Err(why);
            }
        }
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len() + 6);
        for (key, value) in &message.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        for (key, value) in [
            ("dlt_why", why),
            ("dlt_topic", &message.topic),
            ("dlt_partition", &message.partition.to_string()),
            ("dlt_offset", &message.offset.to_string()),
            ("dlt_group", &self.group),
            ("dlt_attempts", &attempts.to_string()),
        ] {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let record = FutureRecord::to(&topic).key(&message.key).payload(&message.payload).headers(headers);
        let sent = self.producer.send(record, Timeout::After(Duration::from_secs(1))).await;
        sent.map(drop).map_err(|(error, _)| format!("Kafka at {}, topic {topic}: {error}", self.brokers))
    }
}
