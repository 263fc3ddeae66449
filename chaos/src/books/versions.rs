//! Which migrations these books are read by. A database that has others may mean something else by the same columns.

use sqlx::migrate::Migrator;

use crate::Place;

static CONTRACT: Migrator = sqlx::migrate!("../migrations/contract/any");
static OUTBOX: Migrator = sqlx::migrate!("../migrations/outbox/any");
static ORCHESTRATOR: Migrator = sqlx::migrate!("../migrations/orchestrator/sqlite");
static ORCHESTRATOR_ON_SERVER: Migrator = sqlx::migrate!("../migrations/orchestrator/postgres");
static SANDBOX: Migrator = sqlx::migrate!("../migrations/sandbox/any");
static INVENTORY: Migrator = sqlx::migrate!("../migrations/inventory/any");
static PAYMENT: Migrator = sqlx::migrate!("../migrations/payment/any");
static ORDER: Migrator = sqlx::migrate!("../migrations/order/any");
static CART: Migrator = sqlx::migrate!("../migrations/cart/any");
static SHIPPING: Migrator = sqlx::migrate!("../migrations/shipping/any");

/// Numbers of the migrations of this book's database that are known, ascending.
pub(super) fn known(book: &str, place: &Place) -> Vec<i64> {
    let migrators: &[&Migrator] = match book {
        "orchestrator" if matches!(place, Place::Server(_)) => &[&ORCHESTRATOR_ON_SERVER],
        "orchestrator" => &[&ORCHESTRATOR],
        "sandbox" => &[&SANDBOX],
        "inventory" => &[&CONTRACT, &OUTBOX, &INVENTORY],
        "payment" => &[&CONTRACT, &OUTBOX, &PAYMENT],
        "order" => &[&CONTRACT, &OUTBOX, &ORDER],
        "cart" => &[&CONTRACT, &OUTBOX, &CART],
        "shipping" => &[&CONTRACT, &OUTBOX, &SHIPPING],
        _ => &[],
    };
    let mut known: Vec<i64> =
        migrators.iter().flat_map(|migrator| migrator.iter()).map(|migration| migration.version).collect();
    known.sort_unstable();
    known
}

/// The first of the migrations that a database has which is not known, ascending.
pub(super) fn unknown(found: &[i64], known: &[i64]) -> Option<i64> {
    found.iter().copied().find(|version| known.binary_search(version).is_err())
}
