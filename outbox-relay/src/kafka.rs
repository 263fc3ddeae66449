//! Kafka as a [`Sink`]: an idempotent producer that waits for all in-sync replicas, CloudEvents 1.0 in headers.
//!
//! What the order of a key rests on. A message that times out leaves the producer's queue: one that was not sent never
//! is, and one that was on its way may still be written, once, after its failure was told. The producer then goes on
//! with the next messages as if there had been no gap, so *it* promises no order across a timeout; the relay does, by
//! sending a key's next row only after the one before was acknowledged. A late copy of the row that timed out is then a
//! repetition, and no gap. Within one connection, idempotence keeps retries of what is in flight together in order.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::trace;
use futures::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;
use tracing::Instrument as _;

use crate::producer::Producer;
use crate::reserved::reserved;
use crate::topics::{TopicPlan, Topics};
use crate::{PublishError, Row, Sink, time};

/// How long a broker has to answer whether it is there.
const PROBE: Duration = Duration::from_secs(3);

/// How to reach the brokers.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// `host:port`, comma separated.
    pub bootstrap_servers: String,
    /// How long one row may wait for its acknowledgement before the relay is told that it is not there yet.
    pub message_timeout: Duration,
    /// What missing topics are made with; without it they are left to the broker.
    pub topics: Option<TopicPlan>,
    /// Further librdkafka properties (TLS, SASL, `message.max.bytes` …). Those that the guarantees
    /// rest on are refused, whatever their value and under every name that they have.
    pub properties: Vec<(String, String)>,
}

impl KafkaOptions {
    /// Plain text to these brokers with the defaults.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            message_timeout: Duration::from_secs(10),
            topics: None,
            properties: Vec::new(),
        }
    }

    /// What every client needs, of whatever kind: where the brokers are, and the properties of the connection.
    pub(crate) fn connection(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("client.id", "backstitch")
            // A broker that comes back is found within a second, and not asked a hundred times meanwhile.
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("client.id", "backstitch-relay")
            .set("reconnect.backoff.max.ms", "1000")
            // Waves are short; a longer linger would be paid once per wave.
            .set("linger.ms", "1")
            // The Java clients' choice of partition, so that producers in other languages agree on a key's place.
            .set("partitioner", "murmur2_random");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("message.timeout.ms", self.message_timeout.as_millis().to_string())
            .set("enable.idempotence", "true")
            .set("acks", "all");
        config
    }

    pub(crate) fn producer(&self) -> Result<FutureProducer, KafkaOptionsError> {
        if let Some((name, why)) = self.properties.iter().find_map(|(name, _)| Some((name, reserved(name)?)))
        {
            return Err(KafkaOptionsError(format!("--kafka-property {name} cannot be set: {why}")));
        }
        self.config().create().map_err(|error| KafkaOptionsError::new(&error))
    }
}

/// The producer could not be made from its options.
#[derive(Debug, thiserror::Error)]
#[error("kafka options: {0}")]
pub struct KafkaOptionsError(String);

impl KafkaOptionsError {
    pub(crate) fn new(error: &KafkaError) -> Self {
        Self(error.to_string())
    }
}

/// Publishes rows to Kafka. Rows of one call go in parallel; each answers after all in-sync replicas have it.
pub struct KafkaSink {
    options: KafkaOptions,
    producer: Producer,
    topics: Option<Topics>,
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink").field("bootstrap_servers", &self.options.bootstrap_servers).finish()
    }
}

impl KafkaSink {
    /// Makes the producer. Does not wait for a broker: an unreachable one shows in [`Sink::publish`].
    ///
    /// # Errors
    /// When librdkafka does not take an option.
    pub fn new(options: KafkaOptions) -> Result<Self, KafkaOptionsError> {
        let producer = Producer::new(options.clone())?;
        let topics =
            options.topics.map(|plan| Topics::new(options.connection(), &options.bootstrap_servers, plan));
        Ok(Self { options, producer, topics })
    }

    /// Whether a broker answers and these topics are there, making those that are not.
    ///
    /// # Errors
    /// What is wrong, naming the brokers, or the topic and the way out.
    pub async fn prepare(&self, topics: &[&str]) -> Result<(), String> {
        match &self.topics {
            Some(known) => {
                let wrong = known.ensure(&topics.iter().copied().collect()).await;
                wrong.into_values().next().map_or(Ok(()), Err)
            }
            None => Ok(()),
        }
    }

    /// Whether a broker answers now.
    ///
    /// # Errors
    /// That none does, naming them.
    pub async fn probe(&self) -> Result<(), String> {
        let (_, producer) = self.producer.current();
        let ask = move || producer.client().fetch_metadata(None, PROBE).map(drop);
        let asked = tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KafkaError::Canceled));
        asked.map_err(|error| {
            format!("no Kafka broker answers at {}: {error}", self.options.bootstrap_servers)
        })
    }

    fn unavailable(&self, topic: &str, error: &KafkaError) -> String {
        let (brokers, timeout) = (&self.options.bootstrap_servers, self.options.message_timeout);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageTimedOut) => {
                format!("no acknowledgement from Kafka at {brokers} within {timeout:?}")
            }
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => {
                format!(
                    "Kafka at {brokers} does not let this client write to the topic {topic} ({error}); allow it, or \
                     connect as somebody else with --kafka-property"
                )
            }
            _ => format!("Kafka at {brokers}, topic {topic}: {error}"),
        }
    }

    async fn publish_one(producer: &FutureProducer, row: &Row) -> Result<(), KafkaError> {
        let event = &row.event;
        let span = tracing::info_span!(
            parent: None,
            "publish",
            otel.kind = "producer",
            topic = event.topic,
            kind = event.kind,
            event = %row.event_id,
        );
        trace::follow(&span, &event.traceparent);
        let here = trace::of(&span);
        let record = FutureRecord::to(&event.topic)
            .key(&event.key)
            .payload(&event.payload)
            .timestamp(event.at_ms)
            .headers(headers(row, here.as_deref().unwrap_or(&event.traceparent)));
        // The queue timeout bounds only the wait for a place in the client's own queue.
        let sent = producer.send(record, Timeout::After(Duration::from_secs(1)));
        match sent.instrument(span).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error),
        }
    }
}

#[async_trait]
impl Sink for KafkaSink {
    async fn publish(&self, rows: &[Row]) -> Vec<Result<(), PublishError>> {
        let wrong = match &self.topics {
            Some(topics) => topics.ensure(&rows.iter().map(|row| row.event.topic.as_str()).collect()).await,
            None => BTreeMap::new(),
        };
        let (number, producer) = self.producer.current();
        // A topic that cannot be written to holds up nobody else's rows.
        let sent = rows.iter().filter(|row| !wrong.contains_key(&row.event.topic));
        let answers = join_all(sent.map(|row| Self::publish_one(&producer, row))).await;
        self.producer.heed(number, answers.iter().filter_map(|answer| answer.as_ref().err()));
        let mut answers = answers.into_iter();
        let told = rows.iter().map(|row| match wrong.get(&row.event.topic) {
            Some(why) => Err(PublishError::Unavailable(why.clone())),
            None => match answers.next().unwrap_or(Err(KafkaError::Canceled)) {
                Ok(()) => Ok(()),
                Err(error) if is_poison(&error) => Err(PublishError::Poison(error.to_string())),
                Err(error) => Err(PublishError::Unavailable(self.unavailable(&row.event.topic, &error))),
            },
        });
        told.collect()
    }
}

/// Poison is only what the same bytes can never overcome. A topic that is missing or forbidden is an operator's
/// to mend, and then the same row goes through: unavailable.
fn is_poison(error: &KafkaError) -> bool {
    // A topic name with a zero byte in it.
    if matches!(error, KafkaError::Nul(_)) {
        return true;
    }
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
                | RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidTimestamp
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::InvalidArgument,
        )
    )
}

/// CloudEvents 1.0, Kafka protocol binding, binary mode.
fn headers(row: &Row, traceparent: &str) -> OwnedHeaders {
    let event = &row.event;
    let (id, sequence, at) = (row.event_id.to_string(), row.sequence.to_string(), time::rfc3339(event.at_ms));
    let mut headers = OwnedHeaders::new_with_capacity(10);
    for (key, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", &id),
        ("ce_source", &event.source),
        ("ce_type", &event.kind),
        ("ce_subject", &event.subject),
        ("ce_time", &at),
        ("ce_sequence", &sequence),
        // Says that the sequence is a number that starts at 1 and grows by 1.
        ("ce_sequencetype", "Integer"),
        ("content-type", "application/json"),
        ("traceparent", traceparent),
    ] {
        if !value.is_empty() {
            headers = headers.insert(Header { key, value: Some(value) });
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmbeddedBroker, Event, RowId};
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use uuid::Uuid;

    fn row(number: i64, topic: &str, payload: Vec<u8>) -> Row {
        let event = Event { payload, ..Event::json(topic, "kind", "/source", "key", "subject", &1, 0) };
        Row { id: RowId(number), event_id: Uuid::from_u128(1), sequence: number, event }
    }

    fn sink(broker: &EmbeddedBroker, message_timeout: Duration) -> KafkaSink {
        let options = KafkaOptions { message_timeout, ..KafkaOptions::new(broker.bootstrap_servers()) };
        KafkaSink::new(options).unwrap()
    }

    async fn publish(sink: &KafkaSink, row: Row) -> Result<(), PublishError> {
        sink.publish(&[row]).await.remove(0)
    }

    #[tokio::test]
    async fn what_the_same_bytes_can_never_overcome_is_poison() {
        let broker = EmbeddedBroker::start(&["t"]).unwrap();
        let sink = sink(&broker, Duration::from_secs(20));
        for poison in [row(1, "t", vec![b'1'; 2_000_000]), row(2, "t\0", b"1".to_vec())] {
            let answer = publish(&sink, poison).await;
            assert!(matches!(answer, Err(PublishError::Poison(_))), "{answer:?}");
        }
        assert_eq!(publish(&sink, row(3, "t", b"1".to_vec())).await, Ok(()), "the next row is not harmed");
    }

    #[tokio::test]
    async fn a_broker_that_is_down_is_unavailable_until_it_is_back() {
        let broker = EmbeddedBroker::start(&["t"]).unwrap();
        let patient = sink(&broker, Duration::from_secs(20));
        broker.command(|cluster| cluster.broker_down(1).unwrap());
        let hasty = sink(&broker, Duration::from_millis(200));
        let answer = publish(&hasty, row(1, "t", b"1".to_vec())).await;
        assert!(matches!(answer, Err(PublishError::Unavailable(_))), "{answer:?}");
        broker.command(|cluster| cluster.broker_up(1).unwrap());
        assert_eq!(publish(&patient, row(1, "t", b"1".to_vec())).await, Ok(()));
    }

    #[tokio::test]
    async fn a_producer_that_died_of_a_fatal_error_is_replaced() {
        let broker = EmbeddedBroker::start(&["t"]).unwrap();
        let sink = sink(&broker, Duration::from_secs(20));
        assert_eq!(publish(&sink, row(1, "t", b"1".to_vec())).await, Ok(()));
        broker.command(|cluster: &MockCluster<'static, _>| {
            cluster.request_errors(
                RDKafkaApiKey::Produce,
                &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
            );
        });
        let answer = publish(&sink, row(2, "t", b"1".to_vec())).await;
        assert!(matches!(answer, Err(PublishError::Unavailable(_))), "{answer:?}");
        let mut answer = publish(&sink, row(2, "t", b"1".to_vec())).await;
        if answer.is_err() {
            answer = publish(&sink, row(2, "t", b"1".to_vec())).await;
        }
        assert_eq!(answer, Ok(()), "through a new producer");
        assert_eq!(sink.producer.current().0, 1, "replaced once");
    }

    #[test]
    fn an_option_that_librdkafka_does_not_know_fails_at_start() {
        let options = KafkaOptions {
            properties: vec![("no.such.property".into(), "1".into())],
            ..KafkaOptions::new("127.0.0.1:1")
        };
        let error = KafkaSink::new(options).unwrap_err();
        assert!(error.to_string().contains("no.such.property"), "{error}");
    }

    #[test]
    fn what_the_guarantees_rest_on_cannot_be_set_under_any_of_its_names() {
        for name in [
            "enable.idempotence",
            "acks",
            "request.required.acks",
            "message.timeout.ms",
            "delivery.timeout.ms",
            "bootstrap.servers",
            "metadata.broker.list",
            "max.in.flight",
            "max.in.flight.requests.per.connection",
            "retries",
            "message.send.max.retries",
            "auto.commit.enable",
        ] {
            let properties = vec![("socket.timeout.ms".into(), "5000".into()), (name.into(), "1".into())];
            let options = KafkaOptions { properties, ..KafkaOptions::new("127.0.0.1:1") };
            let error = KafkaSink::new(options).unwrap_err().to_string();
            assert!(error.contains(&format!("--kafka-property {name} ")), "{error}");
        }
    }

    #[test]
    fn properties_of_the_connection_are_taken() {
        let properties =
            [("socket.timeout.ms", "5000"), ("message.max.bytes", "2000000"), ("linger.ms", "2")];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let options = KafkaOptions { properties, ..KafkaOptions::new("127.0.0.1:1") };
        assert_eq!(options.config().get("linger.ms"), Some("2"));
        KafkaSink::new(options).unwrap();
    }
}
