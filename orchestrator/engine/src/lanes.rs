//! Wake-ups for whoever relays the lanes: an event was committed. Losing one costs a poll's interval, never an event.

use std::collections::BTreeMap;
use std::sync::Arc;

use backstitch_store::Lease;
use tokio::sync::Notify;

/// A wake-up for each shard's lane.
#[derive(Clone, Default)]
pub(crate) struct Lanes {
    wakes: BTreeMap<u16, Arc<Notify>>,
}

impl Lanes {
    pub(crate) fn of(leases: &[Lease]) -> Self {
        Self { wakes: leases.iter().map(|lease| (lease.shard, Arc::default())).collect() }
    }

    pub(crate) fn wake(&self, shard: u16) {
        if let Some(wake) = self.wakes.get(&shard) {
            wake.notify_one();
        }
    }

    /// Notified after every commit with events for this shard's lane.
    pub(crate) fn wake_of(&self, shard: u16) -> Arc<Notify> {
        self.wakes.get(&shard).cloned().unwrap_or_default()
    }
}
