//! The business: which sagas there are.
//!
//! Names participants and what they offer, never how they are reached: no transport, no address, no clock.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
mod checkout;
mod events;
mod names;
mod operations;
mod requests;
mod synthetic;
mod timings;

pub use checkout::{checkout, checkout_with};
pub use names::{step, thing};
pub use synthetic::{MAX_STEPS, synthetic};
pub use timings::Timings;

use backstitch_core::{Catalog, DefinitionError};

/// Every definition that is for customers.
pub fn catalog() -> Result<Catalog, DefinitionError> {
    catalog_with(&Timings::default())
}

/// As [`catalog`], with another patience than the usual.
pub fn catalog_with(timings: &Timings) -> Result<Catalog, DefinitionError> {
    Ok(Catalog::default().with(checkout_with(timings)?))
}
