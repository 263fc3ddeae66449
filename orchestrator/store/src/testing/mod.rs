//! What tests of this crate and of others need: a store in memory with faults to inject.

mod memory;

pub use memory::{Fault, MemoryStore};
