//! A Stripe for tests: localstripe, and before it what makes it behave as Stripe does.
//!
//! [`Stripe::start`] starts both and gives the base URL that a client is pointed to, and a [`Control`]: the other side of
//! the counter, where a test lets the customer act, the network break, the clock turn and webhooks come as it likes, and
//! reads the bank's [`Statement`]. The program `stripe-double` is the same as a process, which outlives whom it serves.
//!
//! localstripe has the objects: intents, charges, refunds, their ids, and the status of an intent is always the one that
//! it says. What stands before it ("the shim") holds what localstripe lacks:
//!
//! * which calls Stripe refuses, and its errors (`api/`, `door.rs`);
//! * idempotency keys (`keys.rs`);
//! * amounts captured, refunds that are pending or fail, decline codes, when a hold ends (`book.rs`, `cards.rs`);
//! * the fields that clients decode (`show/`);
//! * events and signed webhooks (`events.rs`, `courier.rs`);
//! * faults (`faults.rs`) and a clock that can be turned (`clock.rs`);
//! * the statement, which is written when money moves and by nothing else (`statement.rs`).
//!
//! `tests/double/` names each of them: what localstripe alone does, and what becomes of it (`deviations.rs`; its webhooks in
//! `webhooks.rs`).

mod answer;
mod api;
mod book;
mod cards;
mod clock;
mod control;
mod courier;
mod currencies;
mod desk;
mod door;
mod events;
mod faults;
mod form;
mod keys;
mod refusal;
mod server;
mod show;
mod statement;
mod stripe;
mod upstream;
mod world;

pub use api::Operation;
pub use control::{Control, Delivered, Done, Endpoint, Seen, Treatment, Turn};
pub use courier::signature;
pub use faults::{Fault, Kind, Storm};
pub use statement::{Account, Moved, Movement, Statement};
pub use stripe::Stripe;

/// The API version that this speaks, and the only one that it takes: that of async-stripe 1.0.0-rc.10.
pub const VERSION: &str = "2026-09-30.endive";
/// A secret key that it takes. It takes every one that begins with `sk_test_`.
pub const KEY: &str = "sk_test_backstitch";
