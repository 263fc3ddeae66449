//! Clear: after the pivot, what was bought leaves the cart.

use async_trait::async_trait;
use backstitch_proto::cart::{ClearCartRequest, ClearCartResponse};
use participant_kit::{Action, CallMeta, Fault, Identity, LockKey, OpError, Tx};

use super::lock;
use crate::domain::{CartId, Invalid, Items, Lifetimes};
use crate::{events, store};

/// Subtracts what was bought line by line, so that what was put in meanwhile stays, and frees the cart.
///
/// Never refuses. A cart that is gone has nothing left to clear, and one that this saga does not hold (as after its
/// database was restored) is cleared all the same and left to whoever holds it: the goods are bought. But a call that was
/// on its way while a person made its checkout good takes nothing out: they are given back.
#[derive(Clone, Debug)]
pub(crate) struct Clear {
    id: CartId,
    bought: Items,
    lifetimes: Lifetimes,
}

impl Clear {
    pub(crate) fn cart(&self) -> CartId {
        self.id.clone()
    }

    pub(crate) fn parse(request: &ClearCartRequest, lifetimes: Lifetimes) -> Result<Self, Invalid> {
        Ok(Self {
            id: CartId::parse("cart_id", &request.cart_id)?,
            bought: Items::parse(&request.items)?,
            lifetimes,
        })
    }
}

#[async_trait]
impl Action for Clear {
    type Answer = ClearCartResponse;

    fn identity(&self) -> Identity {
        let start = Identity::new("Clear").text("cart_id", self.id.as_str());
        let items = self.bought.sorted().into_iter();
        items.fold(start, |id, item| id.text("sku", &item.sku).int("quantity", item.quantity))
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![lock(&self.id)]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<ClearCartResponse, OpError> {
        let (id, saga, now_ms) = (&self.id, call.saga, tx.now_ms());
        // Under the cart's lock, which a LetGo has too.
        if store::has_let_go(tx.conn(), saga).await? {
            return Ok(ClearCartResponse {});
        }
        let Some(cart) = store::find(tx.conn(), id).await? else {
            tracing::warn!(cart = %id, %saga, "a cart was gone before its checkout cleared it");
            return Ok(ClearCartResponse {});
        };
        if cart.held_by.as_deref() != Some(saga.to_string().as_str()) {
            tracing::warn!(cart = %id, %saga, "a checkout clears a cart that it does not hold");
        }
        let left = cart.items.without(&self.bought);
        let expires = self.lifetimes.expiry(cart.customer.as_ref(), now_ms);
        if !store::clear(tx.conn(), id, cart.version, saga, &left, expires).await? {
            return Err(OpError::not_now(Fault::SOON, format!("cart {id} is being edited")));
        }
        tx.emit(events::cleared(id, cart.version + 1, call, now_ms)).await?;
        Ok(ClearCartResponse {})
    }
}
