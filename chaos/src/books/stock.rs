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
    /// By SKU.
    pub(crate) lines: BTreeMap<String, Reserved>,
}

/// What a reservation is for of one SKU.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) quantity: i64,
    /// How many of them its row says came back.
    pub(crate) restocked: i64,
}

impl Reserved {
    /// What it still holds, or has sold for good.
    pub(crate) fn held(&self) -> i64 {
        self.quantity.saturating_sub(self.restocked)
    }
}

impl Reservation {
    /// It holds something that is not sold.
    pub(crate) fn is_open(&self) -> bool {
        !self.sold && self.lines.values().any(|line| line.held() != 0)
    }
}

/// Goods that came back.
#[derive(Debug)]
pub(crate) struct Restock {
    pub(crate) id: Uuid,
    pub(crate) reservation: Uuid,
    /// The return's.
    pub(crate) saga: Uuid,
    pub(crate) at_ms: i64,
    /// Quantity by SKU.
    pub(crate) lines: BTreeMap<String, i64>,
}

/// Everything in the inventory database.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) skus: BTreeMap<String, StockOf>,
    pub(crate) reservations: BTreeMap<Uuid, Reservation>,
    by_saga: BTreeMap<Uuid, Vec<Uuid>>,
    pub(crate) restocks: Vec<Restock>,
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
            .rows("SELECT reservation_id, sku, quantity, restocked FROM reservation_lines", |row| {
                let line =
                    Reserved { quantity: row.try_get("quantity")?, restocked: row.try_get("restocked")? };
                Ok((id(row, "reservation_id")?, row.try_get::<String, _>("sku")?, line))
            })
            .await?;
        for (reservation, sku, line) in lines {
            if let Some(reservation) = reservations.get_mut(&reservation) {
                reservation.lines.insert(sku, line);
            }
        }
        let mut by_saga: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for reservation in reservations.values() {
            by_saga.entry(reservation.saga).or_default().push(reservation.id);
        }
        let restocks = restocks(reader).await?;
        Ok(Self { skus, reservations, by_saga, restocks, outbox: Outbox::read(reader).await? })
    }
}

async fn restocks(reader: &mut Reader) -> Result<Vec<Restock>, AuditError> {
    let sql = "SELECT restock_id, reservation_id, saga_id, restocked_at_ms FROM restocks ORDER BY restock_id";
    let mut all = reader
        .rows(sql, |row| {
            Ok(Restock {
                id: id(row, "restock_id")?,
                reservation: id(row, "reservation_id")?,
                saga: id(row, "saga_id")?,
                at_ms: row.try_get("restocked_at_ms")?,
                lines: BTreeMap::new(),
            })
        })
        .await?;
    let lines = reader
        .rows("SELECT restock_id, sku, quantity FROM restock_lines", |row| {
            Ok((id(row, "restock_id")?, row.try_get::<String, _>("sku")?, row.try_get::<i64, _>("quantity")?))
        })
        .await?;
    let by_id: BTreeMap<Uuid, usize> = all.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    for (restock, sku, quantity) in lines {
        if let Some(restock) = by_id.get(&restock).and_then(|at| all.get_mut(*at)) {
            restock.lines.insert(sku, quantity);
        }
    }
    Ok(all)
}
