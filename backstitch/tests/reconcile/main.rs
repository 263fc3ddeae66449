//! `backstitch reconcile` over real processes: zero in a shop that is whole, each thing that is planted found with its kind
//! and its amount, and zero again after a repair.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod background;
mod command;
mod judged;
mod load;
mod nodes;
mod planted;
mod repair;
mod rows;
