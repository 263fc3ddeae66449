//! The two ways out of pending: Confirm, after which the order stands, and Cancel, which undoes Create.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::events::OrderPlaced;
use backstitch_proto::order::{
    CancelOrderRequest, CancelOrderResponse, ConfirmOrderRequest, ConfirmOrderResponse,
};
use outbox_relay::Event;
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, Undo};
use uuid::Uuid;

use crate::domain::{self, InvalidOrder, OrderNumber, OrderStatus};
use crate::store::{self, Head, MadeGood};

/// When to ask again about an order that is being made good.
const LATER: Duration = Duration::from_secs(1);

/// Makes the order stand, and publishes that it does.
#[derive(Clone)]
pub(crate) struct Confirm {
    order: Uuid,
}

impl Confirm {
    pub(crate) fn parse(request: &ConfirmOrderRequest) -> Result<Self, InvalidOrder> {
        Ok(Self { order: domain::id("order_id", &request.order_id)? })
    }
}

#[async_trait]
impl Action for Confirm {
    type Answer = ConfirmOrderResponse;

    fn identity(&self) -> Identity {
        Identity::new("Confirm").text("order_id", &self.order.to_string())
    }

    fn locks(&self) -> Vec<LockKey> {
        lock(self.order)
    }

    /// Cannot refuse: money has been captured for this order. That it is not there to confirm is Broken.
    ///
    /// A call that was on its way while a person made the checkout good finds that there is nothing left to confirm:
    /// it is done, and the order does not stand.
    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let head = match leave_pending(tx, self.order, call.saga, OrderStatus::Confirmed).await? {
            Left::Pending(head) => head,
            Left::MadeGood(number) => return Ok(ConfirmOrderResponse { order_number: number.to_string() }),
        };
        let lines = store::lines(tx.conn(), self.order).await?;
        let order_id = self.order.to_string();
        let placed = OrderPlaced {
            order_id: order_id.clone(),
            order_number: head.number.to_string(),
            checkout_id: head.checkout,
            total: Some(head.total.to_proto()),
            items: lines.iter().map(|line| line.to_proto(head.total.currency)).collect(),
        };
        let event = Event::json(
            "order.events",
            "com.backstitch.order.placed.v1",
            "/backstitch/order",
            call.root.to_string(),
            order_id,
            &placed,
            tx.now_ms(),
        );
        tx.emit(event.traced(&call.traceparent)).await?;
        Ok(ConfirmOrderResponse { order_number: placed.order_number })
    }
}

/// Takes a pending order back. Needs nothing that Create answered.
#[derive(Clone)]
pub(crate) struct Cancel {
    order: Uuid,
}

impl Cancel {
    pub(crate) fn parse(request: &CancelOrderRequest) -> Result<Self, InvalidOrder> {
        Ok(Self { order: domain::id("order_id", &request.order_id)? })
    }
}

#[async_trait]
impl Undo for Cancel {
    type Answer = CancelOrderResponse;

    fn locks(&self) -> Vec<LockKey> {
        lock(self.order)
    }

    /// Emits nothing: nobody was told of the order.
    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        leave_pending(tx, self.order, call.saga, OrderStatus::Cancelled).await.map(drop)
    }
}

fn lock(order: Uuid) -> Vec<LockKey> {
    vec![LockKey::new("order", &order.to_string())]
}

/// How an order is not pending any more.
enum Left {
    /// By this call.
    Pending(Head),
    /// It was made good before it stood.
    MadeGood(OrderNumber),
}

/// Changes a pending order's status, with its history. One that is being made good stays as it is until that is
/// decided. An order that is not pending for any other reason, unknown or another saga's is a caller's bug.
async fn leave_pending(tx: &mut Tx<'_>, order: Uuid, saga: Uuid, to: OrderStatus) -> Result<Left, OpError> {
    let now_ms = tx.now_ms();
    if let Some(head) = store::leave_pending(tx.conn(), order, saga, to).await? {
        store::record_status(tx.conn(), order, to, now_ms).await?;
        return Ok(Left::Pending(head));
    }
    match store::made_good(tx.conn(), order, saga).await? {
        Some(MadeGood { open: true, .. }) => {
            return Err(OpError::not_now(LATER, format!("order {order} is being made good")));
        }
        Some(MadeGood { open: false, number }) => return Ok(Left::MadeGood(number)),
        None => {}
    }
    Err(OpError::broken(match store::owner_and_status(tx.conn(), order).await? {
        None => format!("order {order} is unknown, so it cannot become {}", to.as_str()),
        Some((owner, _)) if owner != saga.to_string() => {
            format!("order {order} is saga {owner}'s, so saga {saga} cannot make it {}", to.as_str())
        }
        Some((_, status)) => format!("order {order} is {status}, so it cannot become {}", to.as_str()),
    }))
}
