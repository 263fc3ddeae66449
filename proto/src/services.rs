//! Which gRPC service each participant offers its actions under.

use crate::{cart, inventory, noop, notification, order, payment, shipping};

/// Participant and full service name, e.g. `("inventory", "backstitch.inventory.v1.Inventory")`.
pub const PARTICIPANTS: [(&str, &str); 7] = [
    ("inventory", inventory::inventory_server::SERVICE_NAME),
    ("shipping", shipping::shipping_server::SERVICE_NAME),
    ("payment", payment::payment_server::SERVICE_NAME),
    ("order", order::orders_server::SERVICE_NAME),
    ("cart", cart::carts_server::SERVICE_NAME),
    ("notification", notification::notifications_server::SERVICE_NAME),
    ("noop", noop::noop_server::SERVICE_NAME),
];

/// The full service name of a participant.
pub fn service_of(participant: &str) -> Option<&'static str> {
    PARTICIPANTS.iter().find(|(name, _)| *name == participant).map(|(_, service)| *service)
}
