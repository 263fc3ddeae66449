//! What the consumer group tells: which partitions are taken away, and how far behind the rest is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::statistics::Statistics;
use tokio_util::sync::CancellationToken;

use super::{Lane, names};

/// A partition of a topic.
pub(super) type Place = (String, i32);

/// Follows the group's decisions.
pub(super) struct Follower {
    group: String,
    lanes: Mutex<BTreeMap<Place, Lane>>,
    /// Of all lanes.
    pub(super) stop: CancellationToken,
}

impl Follower {
    pub(super) fn new(group: &str) -> Self {
        Self { group: group.to_owned(), lanes: Mutex::default(), stop: CancellationToken::new() }
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, BTreeMap<Place, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Follower {
    fn stats(&self, statistics: Statistics) {
        for (name, topic) in &statistics.topics {
            for (partition, known) in &topic.partitions {
                // -1 is the client's own pseudo partition; a lag below 0 is not known yet.
                if *partition >= 0 && known.consumer_lag_stored >= 0 {
                    names::lag(&self.group, name, *partition, known.consumer_lag_stored);
                }
            }
        }
    }
}

impl ConsumerContext for Follower {
    /// Called from within `recv`, before the partitions go: from here on nothing of theirs is begun.
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(gone) = rebalance {
            let mut lanes = self.lanes();
            for partition in gone.elements() {
                if let Some(lane) = lanes.remove(&(partition.topic().to_owned(), partition.partition())) {
                    lane.stop.cancel();
                }
            }
        }
    }
}
