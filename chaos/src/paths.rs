//! Where the databases are.

use std::path::{Path, PathBuf};

/// The files of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPaths {
    /// The orchestrator's store.
    pub orchestrator: PathBuf,
    /// The participants. Without them only the journal and the orchestrator's events are audited, and the report
    /// says so.
    pub participants: Option<ParticipantPaths>,
}

/// The files of the participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantPaths {
    /// Stock and reservations.
    pub inventory: PathBuf,
    /// Our payment ledger.
    pub payment: PathBuf,
    /// Orders.
    pub order: PathBuf,
    /// Carts.
    pub cart: PathBuf,
    /// Shipments.
    pub shipping: PathBuf,
    /// The sandbox provider's own books, which stand for the bank's statement. Without them (a real provider) our
    /// ledger is only compared with the orders, and the report says so.
    pub sandbox: Option<PathBuf>,
}

impl AuditPaths {
    /// The files of a data directory: `orchestrator.db`, `inventory.db`, `payment.db`, `order.db`, `cart.db`,
    /// `shipping.db`, `sandbox.db`.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        let file = |name: &str| dir.join(format!("{name}.db"));
        Self {
            orchestrator: file("orchestrator"),
            participants: Some(ParticipantPaths {
                inventory: file("inventory"),
                payment: file("payment"),
                order: file("order"),
                cart: file("cart"),
                shipping: file("shipping"),
                sandbox: Some(file("sandbox")),
            }),
        }
    }
}
