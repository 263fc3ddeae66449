//! The payment participant.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod gateway;
