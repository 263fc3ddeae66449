//! A cart and who holds it.

use std::time::Duration;

use backstitch_proto::cart as wire;
use participant_kit::Refusal;

use super::{CartId, CustomerId, Items};

/// A cart as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cart {
    pub(crate) id: CartId,
    /// None for a guest.
    pub(crate) customer: Option<CustomerId>,
    pub(crate) items: Items,
    /// Never the version of another state of this cart id.
    pub(crate) version: i64,
    /// The saga that is checking it out, as text.
    pub(crate) held_by: Option<String>,
    /// From when on it may be removed if nobody holds it, Unix milliseconds.
    pub(crate) expires_at_ms: i64,
}

impl Cart {
    pub(crate) fn to_proto(&self) -> wire::Cart {
        wire::Cart {
            cart_id: self.id.to_string(),
            customer_id: CustomerId::text(self.customer.as_ref()).to_owned(),
            items: self.items.as_slice().to_vec(),
            version: self.version,
            held_by: self.held_by.clone().unwrap_or_default(),
        }
    }
}

/// Why a cart could not be held on the version that was loaded. Who holds it comes first: a second checkout of one
/// cart is to learn of the first one, whatever was edited meanwhile.
pub(crate) fn why_not_held(id: &CartId, cart: Option<&Cart>) -> Refusal {
    let Some(cart) = cart else {
        return Refusal::new("CART_GONE", format!("there is no cart {id} any more"));
    };
    match &cart.held_by {
        Some(holder) => Refusal::new("CART_IN_CHECKOUT", format!("cart {id} is being checked out already"))
            .with("holder", holder),
        None => Refusal::new("CART_CHANGED", format!("cart {id} has changed since it was loaded"))
            .with("version", cart.version),
    }
}

/// How long a cart that nobody holds stays after its last change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    customer_ms: i64,
    guest_ms: i64,
}

impl Lifetimes {
    pub(crate) fn new(customer: Duration, guest: Duration) -> Self {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Self { customer_ms: ms(customer), guest_ms: ms(guest) }
    }

    /// From when on a cart of `customer` that was changed now may be removed.
    pub(crate) fn expiry(&self, customer: Option<&CustomerId>, now_ms: i64) -> i64 {
        if customer.is_some() { self.customers_expiry(now_ms) } else { self.guests_expiry(now_ms) }
    }

    pub(crate) fn customers_expiry(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add(self.customer_ms)
    }

    pub(crate) fn guests_expiry(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add(self.guest_ms)
    }
}
