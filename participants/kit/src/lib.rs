//! What every participant shares: the barrier that makes each action happen at most once, call metadata and statuses,
//! the transactor that runs many operations in one commit, and the server they answer from.
//!
//! A participant brings [`Action`]s and [`Undo`]s (or [`OutsideAction`]s and [`OutsideUndo`]s where the effect happens
//! at a provider); [`Kit`] decides whether they run. Knows no orchestrator and no particular participant.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod action;
pub mod barrier;
mod clock;
pub mod columns;
mod consuming;
mod database;
mod identity;
mod kit;
mod lock;
mod metrics;
mod options;
mod outbox;
mod outcome;
mod patience;
mod places;
mod resolver;
mod retention;
mod server;
pub mod status;
pub mod testing;
pub mod text;
mod told;
mod transactor;
mod tx;

pub use action::{Action, OutsideAction, OutsideUndo, Reached, Undo, Undone};
pub use clock::{Clock, ManualClock, SystemClock};
pub use database::{OpenError, Schema};
pub use identity::Identity;
pub use kit::Kit;
pub use lock::LockKey;
pub use metrics::describe as describe_metrics;
pub use options::Options;
pub use outcome::{Fault, OpError};
pub use patience::patiently;
pub use resolver::Resolver;
pub use retention::Retention;
pub use server::{Background, Door, MAX_MESSAGE_BYTES, Participant, Progress, ServeError};
pub use transactor::Counts;
pub use tx::Tx;

pub use backstitch_proto::contract::{CallMeta, Op, Refusal};
