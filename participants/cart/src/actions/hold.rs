//! Hold: a saga takes the cart it loaded, by compare-and-swap on the version.

use async_trait::async_trait;
use backstitch_proto::cart::{HoldCartRequest, HoldCartResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx};

use super::lock;
use crate::domain::{CartId, Invalid, why_not_held};
use crate::store;

/// Marks the cart held by the calling saga. The version stays: what is in the cart does not change.
/// Refused: `CART_CHANGED`, `CART_IN_CHECKOUT`, `CART_GONE`.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    id: CartId,
    version: i64,
}

impl TryFrom<HoldCartRequest> for Hold {
    type Error = Invalid;

    fn try_from(request: HoldCartRequest) -> Result<Self, Invalid> {
        Ok(Self { id: CartId::parse("cart_id", &request.cart_id)?, version: request.version })
    }
}

impl Hold {
    pub(crate) fn cart(&self) -> CartId {
        self.id.clone()
    }
}

#[async_trait]
impl Action for Hold {
    type Answer = HoldCartResponse;

    fn identity(&self) -> Identity {
        Identity::new("Hold").text("cart_id", self.id.as_str()).int("version", self.version)
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![lock(&self.id)]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<HoldCartResponse, OpError> {
        if store::hold(tx.conn(), &self.id, self.version, call.saga).await? {
            return Ok(HoldCartResponse {});
        }
        let cart = store::find(tx.conn(), &self.id).await?;
        Err(why_not_held(&self.id, cart.as_ref()).into())
    }
}
