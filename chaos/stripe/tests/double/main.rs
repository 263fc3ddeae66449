//! The double as its clients meet it.

#![allow(clippy::unwrap_used)]

mod cards;
mod client;
mod deviations;
mod faults;
mod keys;
mod process;
mod refused;
mod shop;
mod time;
mod webhooks;
