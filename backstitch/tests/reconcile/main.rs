//! `backstitch reconcile` over real processes: zero in a shop that is whole, each thing that is planted found with its kind
//! and its amount.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod background;
mod command;
mod load;
mod planted;
mod rows;
