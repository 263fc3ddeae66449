//! What a lane carries: the events of one shard, in commit order.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{Append, NewEvent, Verdict};

/// An event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its lane.
    pub shard: u16,
    /// Its place in the lane: contiguous from 1, in commit order.
    pub number: i64,
    /// The key under which it is published.
    pub root: Uuid,
    /// The saga that it is about.
    pub saga: Uuid,
    /// Its place among the events of that saga: contiguous from 1.
    pub sequence: i64,
    /// The event.
    pub event: NewEvent,
}

impl OutboxRow {
    /// The event's id: the same however often it is written or read.
    pub fn event_id(&self) -> Uuid {
        event_id(self.saga, self.sequence)
    }

    /// The payload, shared.
    pub fn payload(&self) -> &Bytes {
        &self.event.payload
    }
}

/// The id of a saga's n-th event: derived, so that it need not be stored and cannot differ between two writes.
pub fn event_id(saga: Uuid, sequence: i64) -> Uuid {
    backstitch_proto::ids::derived(saga, &format!("event/{sequence}"))
}

/// How far a lane is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneLag {
    /// Events that wait to be published and are not held back.
    pub waiting: u64,
    /// The time of the oldest of them, Unix milliseconds.
    pub oldest_at_ms: Option<i64>,
    /// Events that are held back, the poisoned ones included.
    pub held: u64,
    /// Roots that are parked, with everything after their poisoned event held back.
    pub parked_roots: u64,
}

/// One bell per lane.
pub(crate) struct Bells(Vec<Arc<Notify>>);

impl Bells {
    pub(crate) fn new(shards: u16) -> Self {
        Self((0..shards).map(|_| Arc::default()).collect())
    }

    pub(crate) fn of(&self, shard: u16) -> Arc<Notify> {
        self.0.get(usize::from(shard)).cloned().unwrap_or_default()
    }

    /// Rings for every lane that a committed append of the batch has put events into.
    pub(crate) fn ring(&self, batch: &[Append], verdicts: &[Verdict]) {
        for (append, verdict) in batch.iter().zip(verdicts) {
            if !append.events.is_empty()
                && *verdict == Verdict::Committed
                && let Some(bell) = self.0.get(usize::from(append.shard))
            {
                bell.notify_one();
            }
        }
    }
}
