//! Create: a pending order with everything copied into it.

use async_trait::async_trait;
use backstitch_proto::order::{CreateOrderRequest, CreateOrderResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx};

use crate::domain::{InvalidOrder, NewOrder, OrderStatus};
use crate::store;

/// Writes the order. Emits nothing: a pending order is nobody's business.
#[derive(Clone)]
pub(crate) struct Create(NewOrder);

impl Create {
    pub(crate) fn parse(request: CreateOrderRequest) -> Result<Self, InvalidOrder> {
        NewOrder::parse(request).map(Self)
    }
}

#[async_trait]
impl Action for Create {
    type Answer = CreateOrderResponse;

    fn identity(&self) -> Identity {
        self.0.identity()
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("order", &self.0.id.to_string()), LockKey::new("order_counter", "order")]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let Create(order) = self;
        let now_ms = tx.now_ms();
        let number = store::take_number(tx.conn()).await?;
        if !store::insert_order(tx.conn(), order, number, call.saga, now_ms).await? {
            let why = format!("order {} or checkout {} has an order already", order.id, order.checkout);
            return Err(OpError::broken(why));
        }
        store::insert_lines(tx.conn(), order.id, &order.lines).await?;
        store::record_status(tx.conn(), order.id, OrderStatus::Pending, now_ms).await?;
        Ok(CreateOrderResponse { order_id: order.id.to_string(), order_number: number.to_string() })
    }
}
