//! Consuming a topic that may not be read: it is waited for, and nothing else is.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/topic.rs"]
mod topic;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use backstitch_services::Kafka;
use outbox_relay::consumer::{ConsumerPace, Failure, Handler, Incoming, Subscription, consume};
use outbox_relay::{KafkaOptions, KafkaSink, TopicPlan};
use rdkafka::consumer::Consumer as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::types::RDKafkaErrorCode::TopicAuthorizationFailed;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use topic::{PATIENCE, reader, topic};

/// The numbers that were read, by topic, in the order in which they first came.
#[derive(Default)]
struct Heard(Mutex<BTreeMap<String, Vec<u32>>>);

impl Heard {
    fn of(&self, topic: &str) -> Vec<u32> {
        self.0.lock().unwrap().get(topic).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Handler for Heard {
    async fn handle(&self, message: &Incoming) -> Result<(), Failure> {
        let number = std::str::from_utf8(&message.key).unwrap().parse().unwrap();
        let mut heard = self.0.lock().unwrap();
        let heard = heard.entry(message.topic.clone()).or_default();
        // One whose place was not kept comes again.
        if !heard.contains(&number) {
            heard.push(number);
        }
        Ok(())
    }
}

struct Stage {
    kafka: Kafka,
    options: KafkaOptions,
    producer: FutureProducer,
    heard: Arc<Heard>,
    shut: &'static str,
    open: &'static str,
}

impl Stage {
    async fn set() -> Self {
        let kafka = Kafka::start();
        let plan = TopicPlan { partitions: 1, replication: 1 };
        let options = KafkaOptions { topics: Some(plan), ..KafkaOptions::new(kafka.brokers()) };
        let (shut, open) = (&*topic("shut").leak(), &*topic("open").leak());
        KafkaSink::new(options.clone()).unwrap().prepare(&[shut, open]).await.unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", kafka.brokers()).create().unwrap();
        Self { kafka, options, producer, heard: Arc::default(), shut, open }
    }

    async fn write(&self, topic: &str, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let key = number.to_string();
            let record = FutureRecord::to(topic).key(&key).payload("");
            self.producer.send(record, PATIENCE).await.unwrap();
        }
    }

    /// A member of the one group, until it is stopped.
    fn consume(&self) -> (CancellationToken, JoinHandle<()>) {
        let handler = Arc::clone(&self.heard) as Arc<dyn Handler>;
        let subscription = Subscription { group: "group", topics: vec![self.shut, self.open], handler };
        let (stop, options) = (CancellationToken::new(), self.options.clone());
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            consume(subscription, &options, ConsumerPace::default(), stopped).await.unwrap();
        });
        (stop, running)
    }

    async fn heard(&self, topic: &str, count: u32) {
        let waiting = async {
            while self.heard.of(topic).len() < usize::try_from(count).unwrap() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let what = || format!("{count} of {topic}: {:?}", self.heard.of(topic));
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{}", what()));
        assert_eq!(self.heard.of(topic), (0..count).collect::<Vec<_>>());
    }

    /// From now on the topic may not be read: the rule takes a moment to be known.
    async fn deny(&self) {
        self.kafka.deny_reads(self.shut);
        let reader = reader(&self.kafka.brokers());
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(self.shut, 0, Offset::Beginning).unwrap();
        reader.assign(&place).unwrap();
        let refused = async {
            loop {
                match reader.recv().await {
                    Err(error) if error.rdkafka_error_code() == Some(TopicAuthorizationFailed) => return,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, refused).await.expect("it is refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_may_not_be_read_is_gone_on_with_once_it_may_and_holds_up_no_other() {
    let stage = Stage::set().await;
    let (stop, running) = stage.consume();
    stage.write(stage.shut, 0..10).await;
    stage.heard(stage.shut, 10).await;

    stage.deny().await;
    stage.write(stage.shut, 10..20).await;
    stage.write(stage.open, 0..10).await;
    stage.heard(stage.open, 10).await;
    stop.cancel();
    running.await.unwrap();

    // Nor does one that begins meanwhile: it has its other topic, and loses no place in this one.
    let (stop, running) = stage.consume();
    stage.write(stage.open, 10..20).await;
    stage.heard(stage.open, 20).await;
    assert_eq!(stage.heard.of(stage.shut).len(), 10);

    stage.kafka.allow_reads(stage.shut);
    stage.heard(stage.shut, 20).await;
    stop.cancel();
    running.await.unwrap();
}
