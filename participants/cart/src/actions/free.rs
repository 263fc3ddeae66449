//! Free: the undo of Hold.

use async_trait::async_trait;
use backstitch_proto::cart::{FreeCartRequest, FreeCartResponse};
use participant_kit::{CallMeta, LockKey, OpError, Tx, Undo};

use super::lock;
use crate::domain::{CartId, Invalid, Lifetimes};
use crate::store;

/// Ends the calling saga's hold, and nobody else's. The items stay as they are, edits made meanwhile included.
#[derive(Clone, Debug)]
pub(crate) struct Free {
    id: CartId,
    lifetimes: Lifetimes,
}

impl Free {
    pub(crate) fn cart(&self) -> CartId {
        self.id.clone()
    }

    pub(crate) fn parse(request: &FreeCartRequest, lifetimes: Lifetimes) -> Result<Self, Invalid> {
        Ok(Self { id: CartId::parse("cart_id", &request.cart_id)?, lifetimes })
    }
}

#[async_trait]
impl Undo for Free {
    type Answer = FreeCartResponse;

    fn locks(&self) -> Vec<LockKey> {
        vec![lock(&self.id)]
    }

    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let now_ms = tx.now_ms();
        store::free(tx.conn(), &self.id, call.saga, self.lifetimes, now_ms).await?;
        Ok(())
    }
}
