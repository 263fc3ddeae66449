//! Delete: the cart is gone, its versions are used.

use backstitch_proto::cart::DeleteCartRequest;
use participant_kit::{Kit, OpError, Tx};

use super::{free_or, moving, not_found};
use crate::actions::{lock, versions_lock};
use crate::copies::Mark;
use crate::domain::{Cart, CartId, Invalid};
use crate::store;

/// Deletes a cart that nobody holds. `NOT_FOUND` if there is none, a repeated delete included.
#[derive(Clone, Debug)]
pub(crate) struct Delete {
    id: CartId,
}

impl TryFrom<DeleteCartRequest> for Delete {
    type Error = Invalid;

    fn try_from(request: DeleteCartRequest) -> Result<Self, Invalid> {
        Ok(Self { id: CartId::parse("cart_id", &request.cart_id)? })
    }
}

impl Delete {
    pub(crate) fn carts(&self) -> Vec<CartId> {
        vec![self.id.clone()]
    }

    pub(crate) async fn run(self, kit: &Kit, mark: Mark) -> Result<(), OpError> {
        kit.run(mark.locks(vec![lock(&self.id), versions_lock()]), move |tx| {
            let (delete, mark) = (self.clone(), mark.clone());
            Box::pin(async move {
                mark.prove(tx).await?;
                delete.apply(tx).await
            })
        })
        .await
    }

    async fn apply(self, tx: &mut Tx<'_>) -> Result<(), OpError> {
        let cart = store::find(tx.conn(), &self.id).await?.ok_or_else(|| not_found(&self.id))?;
        free_or(&cart, "deleted")?;
        remove(tx, &cart).await
    }
}

/// Removes a cart that was found free, and retires its version.
pub(super) async fn remove(tx: &mut Tx<'_>, cart: &Cart) -> Result<(), OpError> {
    if !store::remove(tx.conn(), &cart.id, cart.version).await? {
        return Err(moving(&cart.id));
    }
    Ok(store::retire(tx.conn(), cart.version).await?)
}
