//! What the databases say, as plain rows. Judges nothing.

mod bank;
mod carts;
mod journal;
mod lanes;
mod orders;
mod outbox;
mod payments;
mod reader;
mod returns;
mod sagas;
mod shipments;
mod stock;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

pub(crate) use bank::{Account, Bank};
pub(crate) use carts::Carts;
pub(crate) use journal::{End, Journal, Part};
pub(crate) use lanes::{Lane, LaneRow};
pub(crate) use orders::{Order, OrderStatus, Orders};
pub(crate) use outbox::{Outbox, OutboxRow};
pub(crate) use payments::{Payment, Payments};
use reader::Reader;
pub(crate) use returns::{Return, ReturnStatus};
pub(crate) use sagas::{Saga, Standing};
pub(crate) use shipments::Shipments;
pub(crate) use stock::{Restock, Stock};

use crate::{AuditError, AuditPaths, ParticipantPaths, Place};

/// Everything that is audited.
pub(crate) struct Books {
    pub(crate) sagas: BTreeMap<Uuid, Saga>,
    /// Time of the newest journal record: how far the world had come.
    newest_ms: i64,
    /// Sagas that have journal records and no row.
    pub(crate) rowless: BTreeSet<Uuid>,
    /// Idempotency keys as (scope, key), by the saga that was started with them.
    pub(crate) keys: BTreeMap<Uuid, Vec<(String, String)>>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) participants: Option<Participants>,
}

/// The participants' half.
pub(crate) struct Participants {
    pub(crate) stock: Stock,
    pub(crate) payments: Payments,
    /// None with a provider whose books are not ours to read.
    pub(crate) bank: Option<Bank>,
    pub(crate) orders: Orders,
    pub(crate) carts: Carts,
    pub(crate) shipments: Shipments,
}

impl Participants {
    /// Their outboxes.
    pub(crate) fn outboxes(&self) -> [&Outbox; 5] {
        [
            &self.stock.outbox,
            &self.payments.outbox,
            &self.orders.outbox,
            &self.carts.outbox,
            &self.shipments.outbox,
        ]
    }
}

impl Books {
    pub(crate) async fn read(paths: &AuditPaths) -> Result<Self, AuditError> {
        let mut store = Reader::open("orchestrator", &paths.orchestrator).await?;
        let mut journals = journal::read(&mut store).await?;
        let sagas = sagas::read(&mut store, &mut journals).await?;
        let participants = match &paths.participants {
            Some(paths) => Some(Self::participants(paths).await?),
            None => None,
        };
        Ok(Self {
            newest_ms: sagas.values().map(|saga| saga.journal.last_at_ms).max().unwrap_or(0),
            sagas,
            rowless: journals.into_keys().collect(),
            keys: sagas::keys(&mut store).await?,
            lanes: lanes::read(&mut store).await?,
            participants,
        })
    }

    async fn participants(paths: &ParticipantPaths) -> Result<Participants, AuditError> {
        let payments = Payments::read(&mut Reader::open("payment", &paths.payment).await?).await?;
        let asked = payments.all.values().any(|payment| payment.provider == "sandbox");
        Ok(Participants {
            stock: Stock::read(&mut Reader::open("inventory", &paths.inventory).await?).await?,
            bank: match &paths.sandbox {
                // It keeps no books where another provider is asked.
                Some(Place::File(file)) if !asked && !file.exists() => None,
                Some(path) => Some(Bank::read(&mut Reader::open("sandbox", path).await?).await?),
                None => None,
            },
            payments,
            orders: Orders::read(&mut Reader::open("order", &paths.order).await?).await?,
            carts: Carts::read(&mut Reader::open("cart", &paths.cart).await?).await?,
            shipments: Shipments::read(&mut Reader::open("shipping", &paths.shipping).await?).await?,
        })
    }

    /// Whether something that happened then may have been forgotten since, as retentions go.
    pub(crate) fn may_be_forgotten(&self, happened_at_ms: i64) -> bool {
        /// No retention is shorter than this.
        const SHORTEST_RETENTION_MS: i64 = 60 * 60 * 1000;
        self.newest_ms.saturating_sub(happened_at_ms) >= SHORTEST_RETENTION_MS
    }

    /// Where the saga behind something stands.
    pub(crate) fn standing(&self, saga: Uuid) -> Standing {
        self.sagas.get(&saga).map_or(Standing::Unknown, Saga::standing)
    }
}

/// When a saga was born: its id (UUIDv7) says so.
pub(crate) fn born_at_ms(saga: Uuid) -> Option<i64> {
    let (seconds, nanos) = saga.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(i64::from(nanos / 1_000_000))
}

/// A sum that a damaged database cannot make overflow.
pub(crate) fn total(amounts: impl IntoIterator<Item = i64>) -> i64 {
    amounts.into_iter().fold(0, i64::saturating_add)
}
