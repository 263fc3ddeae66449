//! The shell around the core: it commits records, makes calls, keeps time and recovers. It decides nothing; every
//! decision is [`backstitch_core::next`]'s.
//!
//! - [`Engine`] is the handle: start, look, cancel, wake, drain.
//! - `start`, `verbs` and `reads` are what it does with one saga.
//! - `writer` commits what all sagas hand in, one batch at a time, and acknowledges strictly after the commit.
//! - `runner` is one task per live saga; it holds back effects until their record is durable.
//! - `good` sees to the returns that make sagas good.
//! - `oldest` is what participants are told so that they forget nothing that has not ended.
//! - `recovery` is a repeating tick over what the store says is unfinished.
//! - `shards` is a repeating tick over who has which shard: what acts for a saga asks it first.
//! - `flow` lets calls to a participant go, wait or come back later: limits, priorities, breakers, retry budget.
//! - [`Dispatcher`] makes calls; [`GrpcDispatcher`] makes them over gRPC.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clock;
mod definitions;
mod dispatch;
mod engine;
mod flow;
mod follow;
mod good;
mod hidden;
mod label;
mod metrics;
mod oldest;
mod options;
mod poison;
mod reads;
mod recovery;
mod registry;
mod room;
mod runner;
mod shards;
mod start;
mod traces;
mod verbs;
mod view;
mod writer;

pub use clock::{Clock, SystemClock};
pub use dispatch::{Dispatch, Dispatcher, Fault, GrpcDispatcher, GrpcOptions, Heard, Target, TargetError};
pub use engine::Engine;
pub use flow::Trouble;
pub use follow::Follow;
pub use metrics::describe as describe_metrics;
pub use options::{BreakerOptions, FlowOptions, Options, RetryOptions};
pub use recovery::Recovered;
pub use shards::{Home, Progress, Sharing, Standing};
pub use start::{NewRun, StartError, Started};
pub use verbs::VerbError;
pub use view::{History, ReadError, SagaView};
