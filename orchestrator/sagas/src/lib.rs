//! The business: which sagas there are.
//!
//! Names participants and what they offer, never how they are reached: no transport, no address, no clock.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
mod checkout;
mod events;
mod operations;
mod synthetic;

pub use checkout::{checkout, step, thing};
pub use synthetic::{MAX_STEPS, synthetic};

use backstitch_core::{Catalog, DefinitionError};

/// Every definition that is for customers.
pub fn catalog() -> Result<Catalog, DefinitionError> {
    Ok(Catalog::default().with(checkout()?))
}
