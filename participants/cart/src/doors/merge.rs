//! Merge: a guest who signs in takes the cart along.

use backstitch_proto::cart::MergeCartsRequest;
use participant_kit::{Kit, OpError, Tx};

use super::delete::remove;
use super::{free_or, moving, not_found, refused};
use crate::actions::{lock, versions_lock};
use crate::copies::Mark;
use crate::domain::{Cart, CartId, CustomerId, Invalid, Lifetimes, TooMuch};
use crate::store;

/// Adds a guest's items to a customer's cart, which is created if there is none, and deletes the guest's. All or
/// nothing; refused while either is held. A repeated merge finds no guest's cart (`NOT_FOUND`), so nothing is added
/// twice.
#[derive(Clone, Debug)]
pub(crate) struct Merge {
    guest: CartId,
    into: CartId,
    customer: CustomerId,
}

impl TryFrom<MergeCartsRequest> for Merge {
    type Error = Invalid;

    fn try_from(request: MergeCartsRequest) -> Result<Self, Invalid> {
        let guest = CartId::parse("guest_cart_id", &request.guest_cart_id)?;
        let into = CartId::parse("customer_cart_id", &request.customer_cart_id)?;
        if guest == into {
            return Err(Invalid::new("customer_cart_id", "must be another cart than guest_cart_id"));
        }
        let customer = CustomerId::parse("customer_id", &request.customer_id)?
            .ok_or_else(|| Invalid::new("customer_id", "must not be empty"))?;
        Ok(Self { guest, into, customer })
    }
}

impl Merge {
    pub(crate) fn carts(&self) -> Vec<CartId> {
        vec![self.guest.clone(), self.into.clone()]
    }

    /// Answers the customer's cart as it is after the merge.
    pub(crate) async fn run(self, kit: &Kit, lifetimes: Lifetimes, mark: Mark) -> Result<Cart, OpError> {
        kit.run(mark.locks(vec![lock(&self.guest), lock(&self.into), versions_lock()]), move |tx| {
            let (merge, mark) = (self.clone(), mark.clone());
            Box::pin(async move {
                mark.prove(tx).await?;
                merge.apply(tx, lifetimes).await
            })
        })
        .await
    }

    async fn apply(self, tx: &mut Tx<'_>, lifetimes: Lifetimes) -> Result<Cart, OpError> {
        let guest = store::find(tx.conn(), &self.guest).await?.ok_or_else(|| not_found(&self.guest))?;
        let into = store::find(tx.conn(), &self.into).await?;
        self.check(&guest, into.as_ref())?;

        let expires = lifetimes.customers_expiry(tx.now_ms());
        let (id, customer) = (self.into, Some(self.customer));
        let merged = match into {
            None => {
                let items = guest.items.clone();
                let version = store::insert(tx.conn(), &id, customer.as_ref(), &items, expires).await?;
                Cart { id, customer, items, version, held_by: None, expires_at_ms: expires }
            }
            Some(into) => {
                let items = into.items.with(&guest.items).map_err(|e| too_much(&e))?;
                let seen = into.version;
                if !store::replace(tx.conn(), &id, seen, customer.as_ref(), &items, expires).await? {
                    return Err(moving(&id));
                }
                Cart { id, customer, items, version: seen + 1, held_by: None, expires_at_ms: expires }
            }
        };
        remove(tx, &guest).await?;
        Ok(merged)
    }

    fn check(&self, guest: &Cart, into: Option<&Cart>) -> Result<(), OpError> {
        free_or(guest, "merged")?;
        if guest.customer.is_some() {
            let facts = [("cart_id", guest.id.as_str())];
            return Err(refused("NOT_A_GUEST_CART", "only a guest's cart is merged into another", &facts));
        }
        let Some(into) = into else { return Ok(()) };
        free_or(into, "merged")?;
        if into.customer.as_ref().is_some_and(|owner| *owner != self.customer) {
            let facts = [("cart_id", into.id.as_str())];
            return Err(refused("CART_OF_ANOTHER_CUSTOMER", "the cart is another customer's", &facts));
        }
        Ok(())
    }
}

fn too_much(error: &TooMuch) -> OpError {
    refused("CART_TOO_LARGE", &error.to_string(), &[])
}
