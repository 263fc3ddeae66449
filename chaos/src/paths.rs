//! Where the databases are.

use std::path::Path;

use crate::place::Place;

/// The databases of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPaths {
    /// The orchestrator's store.
    pub orchestrator: Place,
    /// The participants. Without them only the journal and the orchestrator's events are audited, and the report
    /// says so.
    pub participants: Option<ParticipantPaths>,
}

/// The databases of the participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantPaths {
    /// Stock and reservations.
    pub inventory: Place,
    /// Our payment ledger.
    pub payment: Place,
    /// Orders.
    pub order: Place,
    /// Carts.
    pub cart: Place,
    /// Shipments.
    pub shipping: Place,
    /// The sandbox provider's own books, which stand for the bank's statement. Without them (a real provider) our
    /// ledger is only compared with the orders, and the report says so.
    pub sandbox: Option<Place>,
}

impl AuditPaths {
    /// The files of a data directory: `orchestrator.db`, `inventory.db`, `payment.db`, `order.db`, `cart.db`,
    /// `shipping.db`, `sandbox.db`.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self::of(|name| Place::File(dir.join(format!("{name}.db"))))
    }

    /// The databases where `place` says that those of an owner are: the orchestrator, each participant, the sandbox.
    pub fn of(place: impl Fn(&str) -> Place) -> Self {
        Self {
            orchestrator: place("orchestrator"),
            participants: Some(ParticipantPaths {
                inventory: place("inventory"),
                payment: place("payment"),
                order: place("order"),
                cart: place("cart"),
                shipping: place("shipping"),
                sandbox: Some(place("sandbox")),
            }),
        }
    }
}
