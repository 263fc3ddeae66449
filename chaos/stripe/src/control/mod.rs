//! The other side of the counter: what a test tells and asks.

mod client;
mod words;

pub use client::Control;
pub(crate) use words::Ask;
pub use words::{Delivered, Done, Endpoint, Seen, Treatment, Turn};
