//! Consuming events: each acted on once, in the order of its key, whoever crashes.
//!
//! A partition's messages go to its handler one after the other, partitions beside each other. The group's place in a
//! partition moves only after the handler has committed; between the two a message comes again, and the handler finds it
//! in its [`inbox`](crate::inbox). A message that fails is tried again with growing pauses and then set aside as a dead
//! letter, so that its partition waits for as long as its attempts take, and no other partition waits at all.

mod dead;
mod groups;
mod message;
pub mod names;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::dead::DeadLetters;
pub use self::dead::dead_letters_of;
use self::groups::{Follower, Place};
pub use self::message::{Failure, Incoming};
use self::worker::Worker;
use crate::topics::Topics;
use crate::{KafkaOptions, KafkaOptionsError};

/// A partition of which so many messages wait is read no further, until few do.
const MANY: usize = 500;
const FEW: usize = 100;
/// How often paused partitions are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a failed connection or a missing topic is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often trouble that lasts is told.
const AGAIN: Duration = Duration::from_secs(60);

/// Acts on messages.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Acts on one message in one transaction, which also writes its inbox row; answers after the commit. Messages that
    /// are not for it are `Ok`.
    async fn handle(&self, message: &Incoming) -> Result<(), Failure>;
}

/// Who consumes what.
#[derive(Clone)]
pub struct Subscription {
    /// The consumer group, whose members share the partitions; also the name in the inbox.
    pub group: &'static str,
    /// What is read.
    pub topics: Vec<&'static str>,
    /// Who acts on it.
    pub handler: Arc<dyn Handler>,
}

/// How often a message is tried.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerPace {
    /// Failed attempts after which a message is a dead letter.
    pub attempts: u32,
    /// First pause after a failure; it doubles.
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// How long a handler under way may go on after the shutdown.
    pub grace: Duration,
}

impl Default for ConsumerPace {
    fn default() -> Self {
        Self {
            attempts: 5,
            pause_min: Duration::from_millis(200),
            pause_max: Duration::from_secs(10),
            grace: Duration::from_secs(5),
        }
    }
}

/// A partition that this consumer has.
struct Lane {
    messages: UnboundedSender<Incoming>,
    depth: Arc<AtomicUsize>,
    paused: bool,
    stop: CancellationToken,
}

/// Consumes until `shutdown`. A broker that is away is waited for, with a warning now and then.
///
/// # Errors
/// When librdkafka does not take an option.
pub async fn consume(
    subscription: Subscription,
    kafka: &KafkaOptions,
    pace: ConsumerPace,
    shutdown: CancellationToken,
) -> Result<(), KafkaOptionsError> {
    let Subscription { group, topics, handler } = subscription;
    let consumer = Arc::new(create(group, kafka)?);
    let dead = Arc::new(DeadLetters::new(group, kafka)?);
    if !ready(group, &topics, kafka, &shutdown).await {
        return Ok(());
    }
    consumer.subscribe(&topics).map_err(|error| KafkaOptionsError::new(&error))?;

    let mut workers = JoinSet::new();
    let mut told: Option<Instant> = None;
    let follower = Arc::clone(consumer.context());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            () = shutdown.cancelled() => break,
            _ = look.tick() => {
                resume(&consumer, group);
                while workers.try_join_next().is_some() {}
                continue;
            }
            received = consumer.recv() => match received {
                Ok(message) => {
                    if told.take().is_some() {
                        tracing::info!(group, "consuming goes on");
                    }
                    Incoming::of(&message)
                }
                Err(error) => {
                    if told.is_none_or(|at| at.elapsed() >= AGAIN) {
                        let brokers = &kafka.bootstrap_servers;
                        tracing::warn!(group, brokers, %error, "consuming is in trouble");
                        told = Some(Instant::now());
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let place: Place = (message.topic.clone(), message.partition);
        let mut lanes = follower.lanes();
        let lane = lanes.entry(place.clone()).or_insert_with(|| {
            let (messages, waiting) = unbounded_channel();
            let (stop, depth) = (follower.stop.child_token(), Arc::new(AtomicUsize::new(0)));
            let worker = Worker {
                group: group.to_owned(),
                handler: Arc::clone(&handler),
                dead: Arc::clone(&dead),
                consumer: Arc::clone(&consumer),
                pace,
                stop: stop.clone(),
                depth: Arc::clone(&depth),
            };
            workers.spawn(worker.run(waiting));
            Lane { messages, depth, paused: false, stop }
        });
        let depth = lane.depth.fetch_add(1, Ordering::AcqRel) + 1;
        // A worker ends only after it was told to, and then its lane is gone or the loop is about to end.
        let _ = lane.messages.send(message);
        if depth >= MANY && !lane.paused {
            lane.paused = consumer.pause(&list(&place)).is_ok();
        }
    }

    follower.stop.cancel();
    let ended = async { while workers.join_next().await.is_some() {} };
    if tokio::time::timeout(pace.grace, ended).await.is_err() {
        tracing::warn!(group, "a message's handler did not end in time; the message comes again");
    }
    drop(workers);
    // Keeps the last places and leaves the group; it waits for the broker on the thread that drops it.
    let _ = tokio::task::spawn_blocking(move || drop(consumer)).await;
    Ok(())
}

fn create(group: &str, kafka: &KafkaOptions) -> Result<StreamConsumer<Follower>, KafkaOptionsError> {
    let mut config = kafka.connection();
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        // What workers have passed is committed in the background, and nothing else.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "500")
        .set("statistics.interval.ms", "5000");
    config.create_with_context(Follower::new(group)).map_err(|error| KafkaOptionsError::new(&error))
}

/// Waits until the topics are there: a group that subscribes to a missing one hears of it minutes later.
async fn ready(group: &str, topics: &[&str], kafka: &KafkaOptions, shutdown: &CancellationToken) -> bool {
    let Some(plan) = kafka.topics else { return true };
    let known = Topics::new(kafka.connection(), &kafka.bootstrap_servers, plan);
    let wanted: BTreeSet<&str> = topics.iter().copied().collect();
    let mut pause = PAUSE;
    while !shutdown.is_cancelled() {
        let Some(why) = known.ensure(&wanted).await.into_values().next() else { return true };
        tracing::warn!(group, why, "consuming has not begun");
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
        }
    }
    false
}

fn resume(consumer: &StreamConsumer<Follower>, group: &str) {
    for (place, lane) in consumer.context().lanes().iter_mut() {
        if lane.paused && lane.depth.load(Ordering::Acquire) <= FEW {
            match consumer.resume(&list(place)) {
                Ok(()) => lane.paused = false,
                Err(error) => tracing::warn!(group, ?place, %error, "a partition is not resumed"),
            }
        }
    }
}

fn list((topic, partition): &Place) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, *partition);
    list
}
