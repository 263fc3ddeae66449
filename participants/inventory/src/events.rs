//! What inventory tells the world, in the transaction of the change itself.

use backstitch_proto::common::Item;
use backstitch_proto::events::{StockCorrected, StockMoved};
use outbox_relay::Event;
use participant_kit::CallMeta;
use uuid::Uuid;

use crate::domain::Sku;

const TOPIC: &str = "inventory.events";
const SOURCE: &str = "/backstitch/inventory";

/// Where a reservation's stock went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moved {
    Reserved,
    Released,
    Sold,
}

/// Stock of a reservation moved. In order with everything else of its family of sagas.
pub(crate) fn moved(to: Moved, reservation: Uuid, items: Vec<Item>, call: &CallMeta, now_ms: i64) -> Event {
    let kind = match to {
        Moved::Reserved => "com.backstitch.inventory.reserved.v1",
        Moved::Released => "com.backstitch.inventory.released.v1",
        Moved::Sold => "com.backstitch.inventory.sold.v1",
    };
    let reservation_id = reservation.to_string();
    let payload = StockMoved { reservation_id: reservation_id.clone(), items };
    Event::json(TOPIC, kind, SOURCE, call.root.to_string(), reservation_id, &payload, now_ms)
        .traced(&call.traceparent)
}

/// Stock of a reservation came back, by this restock.
pub(crate) fn restocked(
    restock: Uuid,
    reservation: Uuid,
    items: Vec<Item>,
    call: &CallMeta,
    now_ms: i64,
) -> Event {
    const KIND: &str = "com.backstitch.inventory.restocked.v1";
    let payload = StockMoved { reservation_id: reservation.to_string(), items };
    Event::json(TOPIC, KIND, SOURCE, call.root.to_string(), restock.to_string(), &payload, now_ms)
        .traced(&call.traceparent)
}

/// Somebody counted. In order with the other counts of the SKU.
pub(crate) fn corrected(sku: &Sku, by: i64, on_hand: i64, traceparent: &str, now_ms: i64) -> Event {
    const KIND: &str = "com.backstitch.inventory.corrected.v1";
    let payload = StockCorrected { sku: sku.to_string(), by, on_hand };
    Event::json(TOPIC, KIND, SOURCE, sku.as_str(), sku.as_str(), &payload, now_ms).traced(traceparent)
}
