//! Real invoices as carts.
//!
//! An invoice is a cart. A product's price is its first of the file (a file is a day), so totals differ from the paper
//! invoices where a price changed within the day. Everything is put through the API as it is, line by line: there the
//! lines of one product add up, and what cannot be a cart or a product must be refused, with a reason.
//!
//! An invoice whose number begins with C is a cancellation: a return of what the same customer bought before, on any day
//! of the files, and refused where there was no such purchase.

mod cancel;
mod country;
mod read;
mod replay;
mod summary;

pub(crate) use cancel::Purchases;
pub(crate) use read::read_all;
pub(crate) use replay::replay;
