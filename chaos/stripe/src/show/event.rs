//! An event.

use serde_json::{Value, json};

use crate::events::Event;

/// An event with the object as it was then.
pub(crate) fn event(event: &Event) -> Value {
    json!({
        "object": "event",
        "id": event.id,
        "api_version": crate::VERSION,
        "created": event.created,
        "data": { "object": event.object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": event.key },
        "type": event.kind,
    })
}
