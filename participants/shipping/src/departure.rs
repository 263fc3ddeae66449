//! The carrier's scan: a parcel has left. No saga knows of it; who wants to reads the event.

use std::collections::BTreeMap;

use backstitch_proto::events::ShipmentChanged;
use participant_kit::{Kit, LockKey, OpError, status};
use uuid::Uuid;

use crate::shipment::emit;
use crate::store;

/// Marks a shipment as shipped and publishes that it is; changes nothing if it is already.
pub(crate) async fn mark_shipped(kit: &Kit, shipment: Uuid, traceparent: String) -> Result<(), OpError> {
    let mut conn = kit.reads().acquire().await?;
    let known = store::departing(&mut conn, shipment).await?;
    drop(conn);
    // Who created a shipment never changes, so what it is published along can be locked before it is looked at.
    let root = known.map(|known| known.saga).unwrap_or_default();
    let locks = vec![LockKey::new("shipment", &shipment.to_string()), LockKey::events(&root)];
    kit.run(locks, move |tx| {
        let (root, traceparent) = (root.clone(), traceparent.clone());
        Box::pin(async move {
            let Some(known) = store::departing(tx.conn(), shipment).await? else {
                return Err(status::not_found("shipment", &shipment.to_string()).into());
            };
            if known.shipped {
                return Ok(());
            }
            if known.status == store::CANCELLED {
                let why = format!("shipment {shipment} was called back");
                return Err(status::precondition("CANCELLED", &why, BTreeMap::new()).into());
            }
            let now_ms = tx.now_ms();
            store::track(tx.conn(), shipment, store::SHIPPED, now_ms).await?;
            let changed = ShipmentChanged {
                shipment_id: shipment.to_string(),
                order_id: known.order,
                tracking_number: known.tracking_number,
                status: store::SHIPPED.to_owned(),
            };
            // A checkout is the root of its own family, so its saga's id is the key of all its events.
            emit(tx, &root, &traceparent, &changed).await
        })
    })
    .await
}
