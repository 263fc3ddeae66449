//! What the cart talks about: parsed once at the door, valid from then on. Knows no database and no transport beyond
//! the messages it parses.

mod cart;
mod items;
mod words;

pub(crate) use cart::{Cart, Lifetimes, why_not_held};
pub(crate) use items::{Items, TooMuch};
pub(crate) use participant_kit::text::Invalid;
pub(crate) use words::{CartId, CustomerId};
