//! CreateShipment, which hands a parcel to the carrier, and CancelShipment, which undoes it.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::events::ShipmentChanged;
use backstitch_proto::shipping::{
    CancelShipmentRequest, CancelShipmentResponse, CreateShipmentRequest, CreateShipmentResponse,
};
use outbox_relay::Event;
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, Undo};
use uuid::Uuid;

use crate::domain::tracking::TrackingNumber;
use crate::domain::{self, Invalid, NewShipment};
use crate::store;

/// When to ask again about a parcel that is not there yet.
pub(crate) const LATER: Duration = Duration::from_secs(1);

/// Runs after money was captured: looks at no quote and refuses nothing.
///
/// A call that was on its way while a person made its checkout good finds that nothing is wanted any more. It is done, so
/// that nobody repeats it, with a parcel that was cancelled before it was one: whoever follows the answer finds it so,
/// and the carrier's scan is refused. Nobody is told of it.
#[derive(Clone)]
pub(crate) struct CreateShipment(NewShipment);

impl CreateShipment {
    pub(crate) fn parse(request: &CreateShipmentRequest) -> Result<Self, Invalid> {
        NewShipment::parse(request).map(Self)
    }
}

#[async_trait]
impl Action for CreateShipment {
    type Answer = CreateShipmentResponse;

    fn identity(&self) -> Identity {
        let NewShipment { id, order, address, method, weight_grams } = &self.0;
        Identity::new("CreateShipment")
            .text("shipment_id", &id.to_string())
            .text("order_id", &order.to_string())
            .address(address)
            .text("method", method)
            .int("weight_grams", *weight_grams)
    }

    fn locks(&self) -> Vec<LockKey> {
        lock(self.0.id)
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let CreateShipment(shipment) = self;
        let now_ms = tx.now_ms();
        let tracking = TrackingNumber::of(shipment.id).to_string();
        let wanted = !store::is_taken_back(tx.conn(), shipment.id).await?;
        let status = if wanted { store::CREATED } else { store::CANCELLED };
        if !store::insert_shipment(tx.conn(), shipment, &tracking, status, call.saga, now_ms).await? {
            let why = format!("shipment {} or tracking number {tracking} exists already", shipment.id);
            return Err(OpError::broken(why));
        }
        store::track(tx.conn(), shipment.id, status, now_ms).await?;
        let changed = ShipmentChanged {
            shipment_id: shipment.id.to_string(),
            order_id: shipment.order.to_string(),
            tracking_number: tracking,
            status: status.to_owned(),
        };
        if wanted {
            emit(tx, &call.root.to_string(), &call.traceparent, &changed).await?;
        }
        Ok(CreateShipmentResponse {
            shipment_id: changed.shipment_id,
            tracking_number: changed.tracking_number,
        })
    }
}

/// Calls the parcel back. Needs nothing that CreateShipment answered.
#[derive(Clone)]
pub(crate) struct CancelShipment {
    shipment: Uuid,
}

impl CancelShipment {
    pub(crate) fn parse(request: &CancelShipmentRequest) -> Result<Self, Invalid> {
        Ok(Self { shipment: domain::id("shipment_id", &request.shipment_id)? })
    }
}

#[async_trait]
impl Undo for CancelShipment {
    type Answer = CancelShipmentResponse;

    fn locks(&self) -> Vec<LockKey> {
        lock(self.shipment)
    }

    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        let now_ms = tx.now_ms();
        let id = self.shipment;
        let Some((order_id, tracking_number)) = store::cancel_shipment(tx.conn(), id, call.saga).await?
        else {
            return Err(OpError::broken(match store::owner_and_status(tx.conn(), id).await? {
                None => format!("shipment {id} is unknown, so it cannot be cancelled"),
                Some((owner, _)) if owner != call.saga.to_string() => {
                    format!("shipment {id} is saga {owner}'s, so saga {} cannot cancel it", call.saga)
                }
                Some((_, status)) => format!("shipment {id} is {status}, so it cannot be cancelled"),
            }));
        };
        store::track(tx.conn(), id, store::CANCELLED, now_ms).await?;
        let changed = ShipmentChanged {
            shipment_id: id.to_string(),
            order_id,
            tracking_number,
            status: store::CANCELLED.to_owned(),
        };
        emit(tx, &call.root.to_string(), &call.traceparent, &changed).await
    }
}

/// What whoever changes a shipment holds.
pub(crate) fn lock(shipment: Uuid) -> Vec<LockKey> {
    vec![LockKey::new("shipment", &shipment.to_string())]
}

/// Publishes that a shipment has changed, as com.backstitch.shipping.<status>.v1, along the root saga that created it.
pub(crate) async fn emit(
    tx: &mut Tx<'_>,
    root: &str,
    traceparent: &str,
    changed: &ShipmentChanged,
) -> Result<(), OpError> {
    let event = Event::json(
        "shipping.events",
        format!("com.backstitch.shipping.{}.v1", changed.status),
        "/backstitch/shipping",
        root,
        changed.shipment_id.clone(),
        changed,
        tx.now_ms(),
    );
    tx.emit(event.traced(traceparent)).await
}
