//! Faces of the orchestrator: HTTP and gRPC over the same verbs, and admission, which comes before a saga.
//!
//! Answers from durable facts only and decides nothing about sagas: that is the core's. Knows no database and no
//! step's participant; it asks inventory, carts and orders in their own name, never in a saga's.
//!
//! - `admission` turns a request and a cart into the snapshot that a checkout starts with.
//! - `checkouts`, `returns`, `sagas`, `repairs`, `cases` and `ready` are the verbs; `document`, `return_document` and
//!   `operator` what they tell.
//! - `problem` is the one table of everything that can be wrong with a request.
//! - `peers` hands a verb on to the node that has the saga.
//! - `faces` parse, call and convert.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admission;
mod app;
mod cases;
mod checkouts;
mod clients;
mod countries;
mod definitions;
mod document;
mod faces;
mod failures;
mod fields;
mod following;
mod json;
mod judgements;
mod operator;
mod parked;
mod peers;
mod problem;
mod ready;
mod refusals;
mod repairs;
mod request;
mod return_document;
mod return_request;
mod returns;
mod sagas;
mod salvage;
mod start;
mod under_way;

pub use app::Options;
pub use clients::{BadAddress, Clients, channel};
pub use faces::http::describe as describe_metrics;
pub use start::{ServeError, Server};
