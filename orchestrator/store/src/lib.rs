//! Where sagas are durable: the [`Store`] trait told as guarantees, the SQLite and the Postgres store, and what tests need.
//!
//! Knows records as bytes under `(saga, seq)`, never what a saga does with them: the transition table is the
//! core's, the order in which things must be durable is the engine's. Knows no clock; times come in as values.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod append;
pub mod codec;
mod definitions;
mod door;
mod error;
mod judgements;
mod lane_source;
mod lanes;
mod leases;
mod listing;
mod plan;
pub mod postgres;
mod rows;
mod saga;
pub mod sqlite;
mod store;
mod tails;
pub mod testing;

pub use append::{Append, KeyRow, NewEvent, NewSaga, Summary, Verdict};
pub use definitions::{Announced, Announcement, DefinitionRow, InFlight, Switch, SwitchRow, Switched};
pub use error::StoreError;
pub use judgements::{Judged, Judgement};
pub use lane_source::{EVENT_SOURCE, LaneSource};
pub use lanes::{LaneLag, OutboxRow, event_id};
pub use leases::{Lease, Member, ShardRow, Tended};
pub use listing::{BadCursor, Cursor, ListFilter, Page, Purge, Purged};
pub use postgres::{PostgresError, PostgresOptions, PostgresStore};
pub use saga::{SagaRow, StoredSaga};
// One word for one thing: where a saga stands is the core's word.
pub use backstitch_core::{Status, UnknownStatus};
pub use sqlite::{OpenError, SqliteOptions, SqliteStore};
pub use store::{
    JUDGEMENT_LIFE_MS, KEY_LIFE_MS, LONGEST_TERM, MAX_RECORD_BYTES, MAX_RECORDS_PER_APPEND, Store,
};
