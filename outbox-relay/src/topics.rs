//! Topics are made before the first event goes to them: a broker that makes topics by itself gives them its own number
//! of partitions, and a key's partition must not change later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::Mutex;

/// How long a broker has to answer a question about topics.
const ANSWER: Duration = Duration::from_secs(5);

/// What a topic that is missing is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its partitions. A topic that has fewer is used as it is, with a warning.
    pub partitions: i32,
    /// On how many brokers each partition is kept.
    pub replication: i32,
}

impl Default for TopicPlan {
    fn default() -> Self {
        Self { partitions: 12, replication: 1 }
    }
}

/// Which topics are known to be there.
#[derive(Debug)]
pub(crate) struct Topics {
    config: ClientConfig,
    brokers: String,
    plan: TopicPlan,
    known: Mutex<BTreeSet<String>>,
}

impl Topics {
    pub(crate) fn new(config: ClientConfig, brokers: &str, plan: TopicPlan) -> Self {
        Self { config, brokers: brokers.to_owned(), plan, known: Mutex::default() }
    }

    /// Makes those of `topics` that are not there, and answers what is wrong with the rest, naming the topic and the way
    /// out; they are looked at again the next time.
    pub(crate) async fn ensure(&self, topics: &BTreeSet<&str>) -> BTreeMap<String, String> {
        let mut known = self.known.lock().await;
        let missing: Vec<&str> = topics.iter().copied().filter(|topic| !known.contains(*topic)).collect();
        if missing.is_empty() {
            return BTreeMap::new();
        }
        let there = match partitions(self.config.clone()).await {
            Ok(there) => there,
            Err(error) => {
                let why = format!("no Kafka broker answers at {}: {error}", self.brokers);
                return missing.into_iter().map(|topic| (topic.to_owned(), why.clone())).collect();
            }
        };
        let mut wrong = BTreeMap::new();
        for topic in missing {
            let ready = match there.iter().find(|(name, _)| name == topic) {
                Some((_, partitions)) => {
                    self.accept(topic, *partitions);
                    Ok(())
                }
                None => self.create(topic).await,
            };
            match ready {
                Ok(()) => drop(known.insert(topic.to_owned())),
                Err(why) => drop(wrong.insert(topic.to_owned(), why)),
            }
        }
        wrong
    }

    fn accept(&self, topic: &str, partitions: usize) {
        let wanted = usize::try_from(self.plan.partitions).unwrap_or(0);
        if partitions < wanted {
            tracing::warn!(
                topic,
                partitions,
                wanted,
                brokers = self.brokers,
                "the topic has fewer partitions than --kafka-partitions asks for; it is used as it is"
            );
        }
    }

    async fn create(&self, topic: &str) -> Result<(), String> {
        let TopicPlan { partitions, replication } = self.plan;
        let refused = |why: &dyn std::fmt::Display| {
            format!(
                "the topic {topic} is not there and Kafka at {} does not let it be made ({why}); make it with \
                 {partitions} partitions, allow this client to, or change --kafka-partitions {partitions} or \
                 --kafka-replication {replication}",
                self.brokers
            )
        };
        let admin: AdminClient<DefaultClientContext> =
            self.config.create().map_err(|error| refused(&error))?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replication));
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let made = admin.create_topics([&new], &options).await.map_err(|error| refused(&error))?;
        match made.into_iter().next() {
            Some(Ok(_)) => {
                tracing::info!(topic, partitions, replication, brokers = self.brokers, "the topic was made");
                Ok(())
            }
            // Somebody was faster, or it is there and may not be looked at: whoever may write to it can go on.
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, why))) => Err(refused(&why)),
            None => Err(refused(&"no answer")),
        }
    }
}

/// Every topic that may be seen, with its partitions. Asks for all of them: asking for one by name makes it on brokers
/// that make topics by themselves.
async fn partitions(config: ClientConfig) -> Result<Vec<(String, usize)>, KafkaError> {
    let look = move || {
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let metadata = admin.inner().fetch_metadata(None, ANSWER)?;
        let topics = metadata.topics().iter();
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
    };
    // librdkafka waits on the thread that asks.
    match tokio::task::spawn_blocking(look).await {
        Ok(found) => found,
        Err(_) => Err(KafkaError::Canceled),
    }
}
