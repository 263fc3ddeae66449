//! The two ways out of a claim: CompleteReturn, after the money was given back, and CancelReturn, which undoes
//! CreateReturn.

use async_trait::async_trait;
use backstitch_proto::events::OrderReturned;
use backstitch_proto::order::{
    CancelReturnRequest, CancelReturnResponse, CompleteReturnRequest, CompleteReturnResponse,
};
use outbox_relay::Event;
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, Undo};
use uuid::Uuid;

use crate::domain::returns::ReturnStatus;
use crate::domain::{self, InvalidOrder, OrderStatus};
use crate::store;
use crate::store::returns::{self, Claimed};

/// Writes the credit note, and publishes that the goods are back.
#[derive(Clone)]
pub(crate) struct CompleteReturn {
    id: Uuid,
}

impl CompleteReturn {
    pub(crate) fn parse(request: &CompleteReturnRequest) -> Result<Self, InvalidOrder> {
        Ok(Self { id: domain::id("return_id", &request.return_id)? })
    }
}

#[async_trait]
impl Action for CompleteReturn {
    type Answer = CompleteReturnResponse;

    fn identity(&self) -> Identity {
        Identity::new("CompleteReturn").text("return_id", &self.id.to_string())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("return", &self.id.to_string()), LockKey::new("credit_note_counter", "credit note")]
    }

    /// Cannot refuse: the money is given back. That there is no claim to complete is Broken.
    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let now_ms = tx.now_ms();
        let claimed = claimed(tx, self.id, call.saga, ReturnStatus::Completed).await?;
        let number = returns::take_credit_note_number(tx.conn()).await?;
        returns::complete(tx.conn(), self.id, number, now_ms).await?;
        // An order that was made good before it stood never will.
        if store::cancel_made_good(tx.conn(), claimed.order, self.id).await? {
            store::record_status(tx.conn(), claimed.order, OrderStatus::Cancelled, now_ms).await?;
        }
        let order_id = claimed.order.to_string();
        let returned = OrderReturned {
            order_id: order_id.clone(),
            return_id: self.id.to_string(),
            credit_note_number: number.to_string(),
            refund: Some(claimed.refund.to_proto()),
            items: returns::items(tx.conn(), self.id).await?,
        };
        let event = Event::json(
            "order.events",
            "com.backstitch.order.returned.v1",
            "/backstitch/order",
            call.root.to_string(),
            order_id,
            &returned,
            now_ms,
        );
        tx.emit(event.traced(&call.traceparent)).await?;
        Ok(CompleteReturnResponse { credit_note_number: returned.credit_note_number })
    }
}

/// Frees what was claimed. Needs nothing that CreateReturn answered.
#[derive(Clone)]
pub(crate) struct CancelReturn {
    id: Uuid,
}

impl CancelReturn {
    pub(crate) fn parse(request: &CancelReturnRequest) -> Result<Self, InvalidOrder> {
        Ok(Self { id: domain::id("return_id", &request.return_id)? })
    }
}

#[async_trait]
impl Undo for CancelReturn {
    type Answer = CancelReturnResponse;

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("return", &self.id.to_string())]
    }

    /// Emits nothing: nobody was told of the return.
    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let now_ms = tx.now_ms();
        claimed(tx, self.id, call.saga, ReturnStatus::Cancelled).await?;
        returns::free_lines(tx.conn(), self.id).await?;
        returns::free_money(tx.conn(), self.id).await?;
        Ok(returns::cancel(tx.conn(), self.id, now_ms).await?)
    }
}

/// The return, claimed and this saga's, with its order locked. Any other is a caller's bug.
///
/// Of which order it is is known only inside, so that is locked then.
async fn claimed(tx: &mut Tx<'_>, id: Uuid, saga: Uuid, to: ReturnStatus) -> Result<Claimed, OpError> {
    let Some(found) = returns::find(tx.conn(), id).await? else {
        let why = format!("return {id} is unknown, so it cannot become {}", to.as_str());
        return Err(OpError::broken(why));
    };
    tx.lock([LockKey::new("order", &found.order.to_string())])?;
    if found.saga != saga.to_string() {
        let owner = found.saga;
        let why = format!("return {id} is saga {owner}'s, so saga {saga} cannot make it {}", to.as_str());
        return Err(OpError::broken(why));
    }
    if found.status != ReturnStatus::Claimed.as_str() {
        let why = format!("return {id} is {}, so it cannot become {}", found.status, to.as_str());
        return Err(OpError::broken(why));
    }
    Ok(found)
}
