//! Stock, counted corrections and reservations.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::outbox::Outbox;
use super::reader::{Reader, id};
use crate::AuditError;

/// The stock of one SKU.
#[derive(Debug, Default)]
pub(crate) struct StockOf {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
    /// Sum of what people counted.
    pub(crate) corrected: i64,
    /// How many times they did.
    pub(crate) corrections: usize,
    /// When they first did.
    pub(crate) first_corrected_at_ms: i64,
}

/// One reservation.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) id: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) sold: bool,
    pub(crate) sold_at_ms: Option<i64>,
    /// Quantity by SKU.
    pub(crate) lines: BTreeMap<String, i64>,
}

/// Everything in the inventory database.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) skus: BTreeMap<String, StockOf>,
    pub(crate) reservations: BTreeMap<Uuid, Reservation>,
    by_saga: BTreeMap<Uuid, Vec<Uuid>>,
    pub(crate) outbox: Outbox,
}

impl Stock {
    /// The reservations that a saga made.
    pub(crate) fn of_saga(&self, saga: Uuid) -> impl Iterator<Item = &Reservation> {
        self.by_saga.get(&saga).into_iter().flatten().filter_map(|id| self.reservations.get(id))
    }

    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let rows = reader
            .rows("SELECT sku, on_hand, reserved, sold FROM stock", |row| {
                let stock = StockOf {
                    on_hand: row.try_get("on_hand")?,
                    reserved: row.try_get("reserved")?,
                    sold: row.try_get("sold")?,
                    ..StockOf::default()
                };
                Ok((row.try_get::<String, _>("sku")?, stock))
            })
            .await?;
        let mut skus: BTreeMap<String, StockOf> = rows.into_iter().collect();
        let sql = "SELECT sku, quantity, corrected_at_ms FROM stock_corrections ORDER BY sku, revision";
        let corrections = reader
            .rows(sql, |row| {
                let quantity: i64 = row.try_get("quantity")?;
                Ok((row.try_get::<String, _>("sku")?, quantity, row.try_get::<i64, _>("corrected_at_ms")?))
            })
            .await?;
        for (sku, quantity, at_ms) in corrections {
            let stock = skus.entry(sku).or_default();
            stock.corrected = stock.corrected.saturating_add(quantity);
            if stock.corrections == 0 {
                stock.first_corrected_at_ms = at_ms;
            }
            stock.corrections += 1;
        }
        let sql = "SELECT reservation_id, saga_id, status, sold_at_ms FROM reservations";
        let rows = reader
            .rows(sql, |row| {
                let reservation = Reservation {
                    id: id(row, "reservation_id")?,
                    saga: id(row, "saga_id")?,
                    sold: row.try_get::<String, _>("status")? == "sold",
                    sold_at_ms: row.try_get("sold_at_ms")?,
                    lines: BTreeMap::new(),
                };
                Ok((reservation.id, reservation))
            })
            .await?;
        let mut reservations: BTreeMap<Uuid, Reservation> = rows.into_iter().collect();
        let lines = reader
            .rows("SELECT reservation_id, sku, quantity FROM reservation_lines", |row| {
                let quantity: i64 = row.try_get("quantity")?;
                Ok((id(row, "reservation_id")?, row.try_get::<String, _>("sku")?, quantity))
            })
            .await?;
        for (reservation, sku, quantity) in lines {
            if let Some(reservation) = reservations.get_mut(&reservation) {
                reservation.lines.insert(sku, quantity);
            }
        }
        let mut by_saga: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for reservation in reservations.values() {
            by_saga.entry(reservation.saga).or_default().push(reservation.id);
        }
        Ok(Self { skus, reservations, by_saga, outbox: Outbox::read(reader).await? })
    }
}
