//! What is published: an event as its producer words it, and the row that waits for the relay.
//!
//! Knows nothing of databases or brokers.

use uuid::Uuid;

/// One event to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The Kafka topic, e.g. `order.events`.
    pub topic: String,
    /// `ce_type`, e.g. `com.backstitch.order.placed.v1`.
    pub kind: String,
    /// `ce_source`, e.g. `/backstitch/order`.
    pub source: String,
    /// What order is promised along, and the Kafka key: the root saga's id as text, or the SKU or cart of an
    /// event outside any saga.
    pub key: String,
    /// `ce_subject`: the thing the event is about, e.g. an order id.
    pub subject: String,
    /// The body, JSON. Never empty: [`append`](crate::append) refuses an empty one.
    pub payload: Vec<u8>,
    /// W3C trace context of the effect; empty when there is none.
    pub traceparent: String,
    /// `ce_time`, Unix milliseconds.
    pub at_ms: i64,
}

impl Event {
    /// An event with a JSON body and no trace context.
    ///
    /// A payload that does not serialize (a map with keys that are no text) becomes an empty body, which
    /// [`append`](crate::append) refuses: the effect's transaction fails rather than publishing half an event.
    pub fn json<T: serde::Serialize>(
        topic: impl Into<String>,
        kind: impl Into<String>,
        source: impl Into<String>,
        key: impl Into<String>,
        subject: impl Into<String>,
        payload: &T,
        at_ms: i64,
    ) -> Self {
        Self {
            topic: topic.into(),
            kind: kind.into(),
            source: source.into(),
            key: key.into(),
            subject: subject.into(),
            payload: serde_json::to_vec(payload).unwrap_or_default(),
            traceparent: String::new(),
            at_ms,
        }
    }

    /// The same event carrying the trace context of the effect that caused it.
    #[must_use]
    pub fn traced(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = traceparent.into();
        self
    }
}

/// A row's number within its source: unique there, growing along a key, meaningless between sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

impl std::fmt::Display for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One event with the numbers it was given when it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's number within its source.
    pub id: RowId,
    /// `ce_id`: the same for every repetition of this row, so consumers can drop duplicates.
    pub event_id: Uuid,
    /// `ce_sequence`: 1, 2, 3 … without holes along a source and key, or along each subject of the key where the source
    /// counts so.
    pub sequence: i64,
    /// What to publish.
    pub event: Event,
}
