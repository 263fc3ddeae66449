//! What shops and customers ask of a cart, outside any saga. One file per operation.

mod delete;
mod merge;
mod put;

pub(crate) use delete::Delete;
pub(crate) use merge::Merge;
pub(crate) use put::Put;

use std::collections::BTreeMap;

use participant_kit::{Fault, OpError, status};

use crate::domain::{Cart, CartId};

/// The cart is not what it was when it was read, although its lock is held: to be tried again.
fn moving(id: &CartId) -> OpError {
    OpError::not_now(Fault::SOON, format!("cart {id} is being changed"))
}

fn not_found(id: &CartId) -> OpError {
    OpError::Status(status::not_found("cart", id.as_str()))
}

/// Nobody may hold the cart.
fn free_or(cart: &Cart, doing: &str) -> Result<(), OpError> {
    let Some(holder) = &cart.held_by else { return Ok(()) };
    let why = format!("cart {} is being checked out and cannot be {doing}", cart.id);
    let facts = [("cart_id", cart.id.as_str()), ("holder", holder)];
    Err(refused("CART_IN_CHECKOUT", &why, &facts))
}

fn refused(reason: &str, why: &str, facts: &[(&str, &str)]) -> OpError {
    let facts: BTreeMap<_, _> = facts.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    OpError::Status(status::precondition(reason, why, facts))
}
