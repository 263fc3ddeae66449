//! The Stripe gateway against a server that says what it is told: what is sent, what is understood, and what is
//! concluded when it goes wrong on the way.

#![allow(clippy::unwrap_used)]

mod calls;
mod faults;
mod lists;
mod objects;
mod server;
mod shown;
