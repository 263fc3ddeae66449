//! The transactional outbox: an effect appends its events in its own transaction, a relay publishes them
//! afterwards, at least once and in order per key.
//!
//! * [`append`] is the producers' half. It runs inside the effect's transaction, so an event exists exactly
//!   when its effect does.
//! * [`Source`] is where rows wait ([`TableSource`] is the participants' table), [`Sink`] is where they go
//!   ([`KafkaSink`], [`testing::MemorySink`]), [`Relay`] moves them in bounded ticks and [`run`] repeats the
//!   ticks.
//! * [`Leases`] make one relay at a time the owner of a lane where several processes reach its database.
//! * [`EmbeddedBroker`] is a real Kafka listener inside the process for a machine where nothing is installed;
//!   [`Relay::replay_window`] fills it again after a restart.
//! * [`consumer`] reads topics and acts on each event once, with the [`inbox`] of its own database.
//!
//! This crate must not know what a saga, a shard or a participant is: it sees rows with a key.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod append;
pub mod consumer;
mod embedded;
mod event;
pub mod inbox;
mod kafka;
mod lease;
mod lent;
pub mod names;
mod producer;
mod relay;
mod reserved;
mod run;
mod sink;
mod source;
mod table;
pub mod testing;
mod time;
mod topics;
mod waves;

pub use append::{append, migrations};
pub use embedded::{EmbeddedBroker, EmbeddedBrokerError};
pub use event::{Event, Row, RowId};
pub use kafka::{KafkaOptions, KafkaOptionsError, KafkaSink};
pub use lease::{Leases, Tenure, Terms};
pub use relay::{Options, Progress, Relay, RelayError};
pub use run::{Pace, run};
pub use sink::{PublishError, Sink};
pub use source::{Lag, Source, SourceError};
pub use table::{Parked, TableSource, mark};
pub use topics::TopicPlan;
