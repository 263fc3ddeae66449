//! What tests of this crate and of others need: a store in memory with faults to inject, and the laws that every
//! store passes.

pub mod laws;
mod memory;
mod trial;

pub use memory::{Fault, MemoryStore};
pub use trial::{DAY, Edit, Subject, T0, Trial, good, names, record};
