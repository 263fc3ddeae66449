//! What a lane carries: the events of one shard, in commit order.

use bytes::Bytes;
use uuid::Uuid;

use crate::NewEvent;

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
