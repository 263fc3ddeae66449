//! Put: the items are these now.

use backstitch_proto::cart::PutCartRequest;
use participant_kit::{Kit, OpError, Tx};

use super::{moving, refused};
use crate::actions::lock;
use crate::copies::Mark;
use crate::domain::{Cart, CartId, CustomerId, Invalid, Items, Lifetimes};
use crate::store;

/// Replaces a cart's items, or creates it. Every put raises the version, the same items or not. Allowed while a
/// checkout holds the cart: it buys its own copy, and what the cart has beyond that stays.
///
/// A put without a customer leaves the cart's customer as it is; one with another customer is refused
/// (`CART_OF_ANOTHER_CUSTOMER`).
#[derive(Clone, Debug)]
pub(crate) struct Put {
    id: CartId,
    customer: Option<CustomerId>,
    items: Items,
}

impl TryFrom<PutCartRequest> for Put {
    type Error = Invalid;

    fn try_from(request: PutCartRequest) -> Result<Self, Invalid> {
        Ok(Self {
            id: CartId::parse("cart_id", &request.cart_id)?,
            customer: CustomerId::parse("customer_id", &request.customer_id)?,
            items: Items::parse(&request.items)?,
        })
    }
}

impl Put {
    pub(crate) fn carts(&self) -> Vec<CartId> {
        vec![self.id.clone()]
    }

    /// Answers the cart as it is after the put.
    pub(crate) async fn run(self, kit: &Kit, lifetimes: Lifetimes, mark: Mark) -> Result<Cart, OpError> {
        kit.run(mark.locks(vec![lock(&self.id)]), move |tx| {
            let (put, mark) = (self.clone(), mark.clone());
            Box::pin(async move {
                mark.prove(tx).await?;
                put.apply(tx, lifetimes).await
            })
        })
        .await
    }

    async fn apply(self, tx: &mut Tx<'_>, lifetimes: Lifetimes) -> Result<Cart, OpError> {
        let Self { id, customer, items } = self;
        let now_ms = tx.now_ms();
        let Some(before) = store::find(tx.conn(), &id).await? else {
            let expires = lifetimes.expiry(customer.as_ref(), now_ms);
            let version = store::insert(tx.conn(), &id, customer.as_ref(), &items, expires).await?;
            return Ok(Cart { id, customer, items, version, held_by: None, expires_at_ms: expires });
        };
        if before.customer.is_some() && customer.is_some() && before.customer != customer {
            let facts = [("cart_id", id.as_str())];
            return Err(refused("CART_OF_ANOTHER_CUSTOMER", "the cart is another customer's", &facts));
        }
        let customer = customer.or(before.customer);
        let expires = lifetimes.expiry(customer.as_ref(), now_ms);
        if !store::replace(tx.conn(), &id, before.version, customer.as_ref(), &items, expires).await? {
            return Err(moving(&id));
        }
        let (version, held_by) = (before.version + 1, before.held_by);
        Ok(Cart { id, customer, items, version, held_by, expires_at_ms: expires })
    }
}
