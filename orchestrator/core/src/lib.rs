//! The heart of the orchestrator: what a saga definition is, what a saga's state is, and the one table of its
//! transitions.
//!
//! Knows no clock, no random numbers, no tokio, no sqlx, no tonic. Time and jitter arrive inside events; effects
//! leave as data. Live running, recovery, property tests and the operator's "explain" all go through
//! [`next`] and [`Saga::fold`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod catalog;
mod definition;
mod explain;
mod hidden;
mod outcome;
mod record;
mod retry;
mod saga;
mod status;
mod table;
mod time;

pub use catalog::{Catalog, CatalogError};
pub use definition::{
    Class, Context, Definition, DefinitionBuilder, DefinitionError, Facts, Handle, Invalid, Operation,
    Publication, Reads, Replay, Step, StepBuilder, StepId, StepSet, Undo,
};
pub use explain::explain;
pub use hidden::{Hidden, Instructions};
pub use outcome::{Op, Outcome, Refusal};
pub use record::{Cause, Entry, ParkedBy, Record};
pub use retry::RetryPolicy;
pub use saga::{
    Activity, Direction, End, FoldError, MadeGood, Note, Parked, Saga, Settled, Start, StepState, Waiting,
};
pub use status::{Status, UnknownStatus};
pub use table::{Call, Effect, Event, Illegal, MAX_NOTES, MAX_REQUEST_BYTES, Transition, begin, next};
pub use time::Timestamp;
