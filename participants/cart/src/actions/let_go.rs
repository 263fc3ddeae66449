//! LetGo: the cart of a checkout that was made good is its customer's again.

use async_trait::async_trait;
use backstitch_proto::cart::{LetGoCartRequest, LetGoCartResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx};

use super::lock;
use crate::domain::{CartId, Invalid, Lifetimes};
use crate::store;

/// Ends the hold of the checkout that is the root of the calling saga's family, and nobody else's, and sees to it that a
/// [`Clear`](super::Clear) of it that is still on its way takes nothing out.
///
/// What is in the cart stays: none of it was delivered, and the money is given back. The version goes up all the same:
/// the one that was held was bought, and no version is bought twice.
///
/// Never refuses. A cart that is gone, was cleared, or is another checkout's by now is left as it is.
#[derive(Clone, Debug)]
pub(crate) struct LetGo {
    id: CartId,
    lifetimes: Lifetimes,
}

impl LetGo {
    pub(crate) fn cart(&self) -> CartId {
        self.id.clone()
    }

    pub(crate) fn parse(request: &LetGoCartRequest, lifetimes: Lifetimes) -> Result<Self, Invalid> {
        Ok(Self { id: CartId::parse("cart_id", &request.cart_id)?, lifetimes })
    }
}

#[async_trait]
impl Action for LetGo {
    type Answer = LetGoCartResponse;

    fn identity(&self) -> Identity {
        Identity::new("LetGo").text("cart_id", self.id.as_str())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![lock(&self.id)]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<LetGoCartResponse, OpError> {
        let (id, checkout, now_ms) = (&self.id, call.root, tx.now_ms());
        store::insert_let_go(tx.conn(), checkout, id, now_ms).await?;
        store::let_go(tx.conn(), id, checkout, self.lifetimes, now_ms).await?;
        Ok(LetGoCartResponse {})
    }
}
