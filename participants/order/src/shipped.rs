//! An order whose parcel has left: read from the shipping participant's events, and published as the order's own.

use std::sync::Arc;

use async_trait::async_trait;
use backstitch_proto::events::{OrderShipped, ShipmentChanged};
use outbox_relay::consumer::{Failure, Handler, Incoming, Subscription};
use outbox_relay::{Event, inbox};
use participant_kit::{Kit, LockKey, OpError, Tx};
use uuid::Uuid;

use crate::store;

/// The consumer group, and the name in the inbox.
const GROUP: &str = "order";

/// What the order participant reads.
pub(crate) fn subscription(kit: &Kit) -> Subscription {
    Subscription {
        group: GROUP,
        topics: vec!["shipping.events"],
        handler: Arc::new(Shipped { kit: kit.clone() }),
    }
}

struct Shipped {
    kit: Kit,
}

/// What an event of a parcel that has left comes to.
#[derive(Clone)]
struct Left {
    event: Uuid,
    order: Uuid,
    parcel: ShipmentChanged,
    /// The root saga, along which the order's events are published too.
    root: String,
    traceparent: String,
}

impl Left {
    /// None for an event of another kind.
    fn parse(message: &Incoming) -> Result<Option<Self>, Failure> {
        if message.kind() != "com.backstitch.shipping.shipped.v1" {
            return Ok(None);
        }
        let parcel: ShipmentChanged = message.json()?;
        let order = Uuid::try_parse(&parcel.order_id)
            .map_err(|error| Failure::Poison(format!("its order_id `{}`: {error}", parcel.order_id)))?;
        let root = String::from_utf8(message.key.clone())
            .map_err(|error| Failure::Poison(format!("its key: {error}")))?;
        let traceparent = message.header("traceparent").to_owned();
        Ok(Some(Self { event: message.event_id()?, order, parcel, root, traceparent }))
    }
}

#[async_trait]
impl Handler for Shipped {
    async fn handle(&self, message: &Incoming) -> Result<(), Failure> {
        let Some(left) = Left::parse(message)? else { return Ok(()) };
        let locks = vec![LockKey::new("order", &left.order.to_string()), LockKey::events(&left.root)];
        let acted = self.kit.run(locks, move |tx| {
            let left = left.clone();
            Box::pin(async move { ship(tx, &left).await })
        });
        Ok(acted.await?)
    }
}

/// Takes down that the order's parcel has left, and tells everybody, in the transaction of the inbox row.
async fn ship(tx: &mut Tx<'_>, left: &Left) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    if !inbox::first_sight(tx.conn(), GROUP, left.event, now_ms).await? {
        return Ok(());
    }
    let order = left.order;
    let Some(head) = store::shippable(tx.conn(), order).await? else {
        return Err(OpError::broken(format!("a parcel has left for order {order}, which does not stand")));
    };
    let Left { parcel, root, traceparent, .. } = left;
    if !store::mark_shipped(tx.conn(), order, parcel, now_ms).await? {
        // Another parcel of the same order: the customer has been told of the first.
        return Ok(());
    }
    let shipped = OrderShipped {
        order_id: order.to_string(),
        order_number: head.number.to_string(),
        checkout_id: head.checkout,
        shipment_id: parcel.shipment_id.clone(),
        tracking_number: parcel.tracking_number.clone(),
        email: head.email,
        name: head.name,
    };
    let event = Event::json(
        "order.events",
        "com.backstitch.order.shipped.v1",
        "/backstitch/order",
        root,
        order.to_string(),
        &shipped,
        now_ms,
    );
    tx.emit(event.traced(traceparent)).await
}
