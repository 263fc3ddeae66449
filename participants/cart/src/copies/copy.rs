//! A cart as it is kept in Redis.

use serde::{Deserialize, Serialize};

use crate::domain::{Cart, CartId, CustomerId, Items};

/// What a copy begins with; leases and marks begin otherwise.
const COPY: u8 = b'C';

/// A copy, and how long it lives from now.
pub(super) struct Copy {
    pub(super) bytes: Vec<u8>,
    pub(super) lives_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    cart_id: String,
    customer_id: String,
    items: Items,
    version: i64,
    held_by: Option<String>,
    expires_at_ms: i64,
}

impl Copy {
    /// The copy of a cart: it lives exactly as long as the cart in the database, so none of one whose time is over and
    /// that only stays until it is freed or removed.
    pub(super) fn of(cart: &Cart, now_ms: i64) -> Option<Self> {
        let lives_ms = cart.expires_at_ms.saturating_sub(now_ms);
        if lives_ms <= 0 {
            return None;
        }
        let stored = Stored {
            cart_id: cart.id.to_string(),
            customer_id: CustomerId::text(cart.customer.as_ref()).to_owned(),
            items: cart.items.clone(),
            version: cart.version,
            held_by: cart.held_by.clone(),
            expires_at_ms: cart.expires_at_ms,
        };
        let mut bytes = vec![COPY];
        serde_json::to_writer(&mut bytes, &stored).ok()?;
        Some(Self { bytes, lives_ms })
    }

    /// The cart that a copy is of. None if it cannot be one of this cart, or if its time is over by the clock that the
    /// database goes by, whatever Redis's own clock says.
    pub(super) fn read(bytes: &[u8], id: &CartId, now_ms: i64) -> Option<Cart> {
        let (&COPY, json) = bytes.split_first()? else { return None };
        let stored: Stored = serde_json::from_slice(json).ok()?;
        let is_it = stored.cart_id == id.as_str() && stored.expires_at_ms > now_ms;
        let customer = CustomerId::parse("customer_id", &stored.customer_id).ok()?;
        is_it.then(|| Cart {
            id: id.clone(),
            customer,
            items: stored.items,
            version: stored.version,
            held_by: stored.held_by,
            expires_at_ms: stored.expires_at_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cart(id: &str, held_by: Option<&str>) -> Cart {
        Cart {
            id: CartId::parse("cart_id", id).unwrap(),
            customer: CustomerId::parse("customer_id", "zoë").unwrap(),
            items: Items::from_json(r#"[{"sku":"A","quantity":2},{"sku":"B","quantity":1}]"#).unwrap(),
            version: 7,
            held_by: held_by.map(str::to_owned),
            expires_at_ms: 1_000,
        }
    }

    #[test]
    fn a_copy_is_read_as_the_cart_that_it_is_of_until_its_time_is_over() {
        for cart in [cart("c", None), cart("c", Some("a saga"))] {
            let copy = Copy::of(&cart, 990).unwrap();
            assert_eq!(copy.lives_ms, 10);
            assert_eq!(Copy::read(&copy.bytes, &cart.id, 999), Some(cart.clone()));
            assert_eq!(Copy::read(&copy.bytes, &cart.id, 1_000), None);
            assert!(Copy::of(&cart, 1_000).is_none());
        }
    }

    #[test]
    fn what_is_no_copy_of_this_cart_is_none() {
        let other = cart("d", None);
        let bytes = Copy::of(&other, 0).unwrap().bytes;
        let id = CartId::parse("cart_id", "c").unwrap();
        for bytes in [&bytes[..], b"", b"C", b"C{}", b"Rlease", b"W1:x", &bytes[1..]] {
            assert_eq!(Copy::read(bytes, &id, 0), None);
        }
    }
}
