//! The business: which sagas there are.
//!
//! Names participants and what they offer, never how they are reached: no transport, no address, no clock.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
mod cases;
mod checkout;
mod events;
mod names;
mod operations;
mod refunds;
mod repairs;
mod requests;
mod returns;
mod synthetic;
mod timings;

pub use cases::refund_case;
pub use checkout::{checkout, checkout_with};
pub use names::{definition, return_step, return_thing, step, thing};
pub use repairs::repair;
pub use returns::{make_good, make_good_with, returns, returns_with};
pub use synthetic::{MAX_STEPS, synthetic};
pub use timings::Timings;

use backstitch_core::{Catalog, DefinitionError};

/// Every definition that is for customers.
pub fn catalog() -> Result<Catalog, DefinitionError> {
    catalog_with(&Timings::default())
}

/// As [`catalog`], with another patience than the usual.
pub fn catalog_with(timings: &Timings) -> Result<Catalog, DefinitionError> {
    Ok(Catalog::default()
        .with(checkout_with(timings)?)
        .with(returns_with(timings)?)
        .with(make_good_with(timings)?)
        .with(repair()?)
        .with(refund_case()?))
}
