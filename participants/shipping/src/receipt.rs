//! TakeBack, what a return asks of a parcel: that it does not leave, or that what comes back is received.

use async_trait::async_trait;
use backstitch_proto::events::ShipmentChanged;
use backstitch_proto::shipping::{TakeBackRequest, TakeBackResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx};

use crate::domain::{Invalid, NewReceipt, Outcome};
use crate::shipment::{LATER, emit, lock};
use crate::store::{self, Departing};

/// Runs after money was given back: refuses nothing.
#[derive(Clone)]
pub(crate) struct TakeBack(NewReceipt);

impl TakeBack {
    pub(crate) fn parse(request: &TakeBackRequest) -> Result<Self, Invalid> {
        NewReceipt::parse(request).map(Self)
    }

    /// What becomes of a parcel of which `rest`, everything, or not everything has come back.
    fn of(parcel: &Departing, rest: bool) -> Outcome {
        let cancelled = parcel.status == store::CANCELLED;
        if cancelled || (rest && !parcel.shipped) { Outcome::Cancelled } else { Outcome::Received }
    }
}

#[async_trait]
impl Action for TakeBack {
    type Answer = TakeBackResponse;

    fn identity(&self) -> Identity {
        // What was ordered is of the order, not of the wish: not everybody tells it.
        let NewReceipt { id, shipment, order, whole, items, ordered: _ } = &self.0;
        let head = Identity::new("TakeBack")
            .text("receipt_id", &id.to_string())
            .text("shipment_id", &shipment.to_string())
            .text("order_id", &order.to_string())
            .int("whole", (*whole).into());
        items
            .iter()
            .fold(head, |identity, (sku, quantity)| identity.text("sku", sku).int("quantity", *quantity))
    }

    fn locks(&self) -> Vec<LockKey> {
        lock(self.0.shipment)
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let TakeBack(receipt) = self;
        let parcel = store::departing(tx.conn(), receipt.shipment).await?;
        // A return that has claimed what is left does not make it come back: its refund may be refused.
        let rest = receipt.is_the_rest(&store::received(tx.conn(), receipt.shipment).await?);
        let outcome = match &parcel {
            Some(parcel)
                if parcel.saga != call.root.to_string() || parcel.order != receipt.order.to_string() =>
            {
                let (id, Departing { saga, order, .. }) = (receipt.shipment, parcel);
                let why = format!("shipment {id} is of checkout {saga} and order {order}, not of these");
                return Err(OpError::broken(why));
            }
            Some(parcel) => Self::of(parcel, rest),
            None if rest => Outcome::None,
            // Part of a parcel that is still to come: it is taken back from that one.
            None => {
                let why =
                    format!("there is no shipment {} yet that a part could come back of", receipt.shipment);
                return Err(OpError::not_now(LATER, why));
            }
        };
        let now_ms = tx.now_ms();
        if !store::insert_receipt(tx.conn(), receipt, outcome, call.saga, now_ms).await? {
            return Err(OpError::broken(format!("receipt {} exists already", receipt.id)));
        }
        if let Some(parcel) = parcel {
            // A parcel that was called back before does not change any more.
            if outcome == Outcome::Received || store::call_back(tx.conn(), receipt.shipment).await? {
                store::track(tx.conn(), receipt.shipment, outcome.as_str(), now_ms).await?;
                let changed = ShipmentChanged {
                    shipment_id: receipt.shipment.to_string(),
                    order_id: parcel.order,
                    tracking_number: parcel.tracking_number,
                    status: outcome.as_str().to_owned(),
                };
                emit(tx, &call.root.to_string(), &call.traceparent, &changed).await?;
            }
        }
        Ok(TakeBackResponse { outcome: outcome.as_str().to_owned() })
    }
}
