//! What the cart tells the world, in the transaction of the change itself.

use backstitch_proto::events::CartCleared;
use outbox_relay::Event;
use participant_kit::CallMeta;

use crate::domain::CartId;

/// What was bought is out of the cart. In order with everything else of its family of sagas.
pub(crate) fn cleared(id: &CartId, version: i64, call: &CallMeta, now_ms: i64) -> Event {
    const TOPIC: &str = "cart.events";
    const KIND: &str = "com.backstitch.cart.cleared.v1";
    let payload = CartCleared { cart_id: id.to_string(), version };
    Event::json(TOPIC, KIND, "/backstitch/cart", call.root.to_string(), id.as_str(), &payload, now_ms)
        .traced(&call.traceparent)
}
