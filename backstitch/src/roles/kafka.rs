//! Kafka as a process uses it: one producer, and whether a broker is there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use outbox_relay::{KafkaOptions, KafkaSink, TopicPlan};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cli::KafkaMore;

/// Every topic that something here publishes to.
pub(crate) const TOPICS: [&str; 6] = [
    "checkout.events",
    "order.events",
    "payment.events",
    "inventory.events",
    "cart.events",
    "shipping.events",
];

/// How long an event waits for an acknowledgement before it is sent again, unless told.
pub(crate) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether a broker is there.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is said that none is.
const SAY: Duration = Duration::from_secs(60);

/// The brokers that this process publishes to. Clones are the same.
#[derive(Clone)]
pub(crate) struct Kafka {
    options: KafkaOptions,
    sink: Arc<KafkaSink>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Kafka {
    /// Brokers outside, as `--kafka` and what goes with it say.
    pub(crate) fn at(brokers: &str, more: &KafkaMore, message_timeout: Duration) -> anyhow::Result<Self> {
        let plan = TopicPlan { partitions: more.kafka_partitions, replication: more.kafka_replication };
        let options = KafkaOptions {
            message_timeout,
            topics: Some(plan),
            properties: more.kafka_property.clone(),
            ..KafkaOptions::new(brokers)
        };
        Self::with(options).with_context(|| format!("--kafka {brokers}"))
    }

    /// The broker inside this process, which has its topics.
    pub(crate) fn embedded(brokers: &str) -> anyhow::Result<Self> {
        Self::with(KafkaOptions::new(brokers))
    }

    fn with(options: KafkaOptions) -> anyhow::Result<Self> {
        let sink = Arc::new(KafkaSink::new(options.clone())?);
        Ok(Self { options, sink, trouble: Arc::default() })
    }

    pub(crate) fn options(&self) -> &KafkaOptions {
        &self.options
    }

    pub(crate) fn sink(&self) -> Arc<KafkaSink> {
        Arc::clone(&self.sink)
    }

    /// The longest time that a row may be on its way: a second for a place in the queue, its timeout, and one for luck.
    pub(crate) fn in_flight(&self) -> Duration {
        self.options.message_timeout + Duration::from_secs(2)
    }

    /// What is wrong with the brokers, when they were looked at last.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again and again whether a broker is there and lets the topics be made, and says so when that changes.
    /// Nobody waits for it: events stay in the outboxes meanwhile.
    pub(crate) fn watch(&self, tasks: &mut JoinSet<anyhow::Result<()>>, shutdown: &CancellationToken) {
        let (kafka, shutdown) = (self.clone(), shutdown.clone());
        tasks.spawn(async move {
            let mut said: Option<Instant> = None;
            while !shutdown.is_cancelled() {
                let found = match kafka.sink.probe().await {
                    Ok(()) => kafka.sink.prepare(&TOPICS).await,
                    Err(why) => Err(why),
                };
                let brokers = &kafka.options.bootstrap_servers;
                match &found {
                    Err(why) if said.is_none_or(|said| said.elapsed() >= SAY) => {
                        tracing::warn!(
                            "--kafka {brokers}: {why}; events are kept and go out once that is over"
                        );
                        said = Some(Instant::now());
                    }
                    Ok(()) if said.take().is_some() => {
                        tracing::info!("--kafka {brokers}: a broker answers again")
                    }
                    _ => {}
                }
                *kafka.trouble.lock().unwrap_or_else(PoisonError::into_inner) = found.err();
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            Ok(())
        });
    }
}
