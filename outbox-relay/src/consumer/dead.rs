//! Dead letters: messages that cannot be acted on go to `<topic>.dlt`, whole, with why, where from and after how many
//! attempts in their headers.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;

use super::Incoming;
use crate::producer::Producer;
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
    producer: Producer,
    topics: Option<Topics>,
}

impl DeadLetters {
    pub(super) fn new(group: &str, options: &KafkaOptions) -> Result<Self, KafkaOptionsError> {
        let topics =
            options.topics.map(|plan| Topics::new(options.connection(), &options.bootstrap_servers, plan));
        Ok(Self {
            group: group.to_owned(),
            brokers: options.bootstrap_servers.clone(),
            producer: Producer::new(options.clone())?,
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
        let (number, producer) = self.producer.current();
        match producer.send(record, Timeout::After(Duration::from_secs(1))).await {
            Ok(_) => Ok(()),
            Err((error, _)) => {
                self.producer.heed(number, std::iter::once(&error));
                Err(format!("Kafka at {}, topic {topic}: {error}", self.brokers))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedBroker;
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    #[tokio::test]
    async fn letters_go_on_after_a_fatal_error() {
        let broker = EmbeddedBroker::start(&["t.dlt"]).unwrap();
        let dead = DeadLetters::new("group", &KafkaOptions::new(broker.bootstrap_servers())).unwrap();
        let message = Incoming {
            topic: "t".to_owned(),
            partition: 0,
            offset: 7,
            key: b"key".to_vec(),
            payload: b"1".to_vec(),
            headers: Vec::new(),
        };
        assert_eq!(dead.bury(&message, "why", 1).await, Ok(()));
        broker.command(|cluster: &MockCluster<'static, _>| {
            cluster.request_errors(
                RDKafkaApiKey::Produce,
                &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
            );
        });
        dead.bury(&message, "why", 1).await.unwrap_err();
        let mut answer = dead.bury(&message, "why", 1).await;
        if answer.is_err() {
            answer = dead.bury(&message, "why", 1).await;
        }
        assert_eq!(answer, Ok(()), "through a new producer");
        assert_eq!(dead.producer.current().0, 1, "replaced once");
    }
}
