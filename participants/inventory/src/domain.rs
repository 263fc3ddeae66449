//! What inventory talks about: parsed once at the door, valid from then on. Knows no database and no transport
//! beyond the messages it parses.

mod lines;
mod product;
mod text;

pub(crate) use lines::{Line, Lines, parse_items, to_items};
pub(crate) use participant_kit::text::Invalid;
pub(crate) use product::{Change, Product, Put, Refused, Terms, decide};
pub(crate) use text::Sku;
