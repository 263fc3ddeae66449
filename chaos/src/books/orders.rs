//! The orders.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::outbox::Outbox;
use super::reader::{Reader, id, wrong};
use crate::AuditError;

/// What an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderStatus {
    Pending,
    /// It stands.
    Confirmed,
    Cancelled,
}

impl OrderStatus {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "pending" => Self::Pending,
            "confirmed" => Self::Confirmed,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }
}

impl std::fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// One order.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) number: i64,
    pub(crate) checkout: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) status: OrderStatus,
    pub(crate) currency: String,
    pub(crate) total_minor: i64,
    pub(crate) shipping_minor: i64,
    pub(crate) payment: Uuid,
    /// When it was confirmed, by its history.
    pub(crate) confirmed_at_ms: Option<i64>,
    /// The last status of its history.
    pub(crate) history_says: Option<OrderStatus>,
    /// Quantity by SKU.
    pub(crate) items: BTreeMap<String, i64>,
    /// Sum of its lines.
    pub(crate) lines_minor: i64,
}

impl Order {
    /// Whether the customer has an order.
    pub(crate) fn stands(&self) -> bool {
        self.status == OrderStatus::Confirmed
    }

    /// The number that people see.
    pub(crate) fn name(&self) -> String {
        format!("BS-{:06}", self.number)
    }
}

/// All orders.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) all: Vec<Order>,
    by_payment: BTreeMap<Uuid, usize>,
    by_saga: BTreeMap<Uuid, usize>,
    pub(crate) outbox: Outbox,
}

impl Orders {
    /// The order that a payment pays.
    pub(crate) fn of_payment(&self, payment: Uuid) -> Option<&Order> {
        self.by_payment.get(&payment).and_then(|at| self.all.get(*at))
    }

    /// The order that a saga created.
    pub(crate) fn of_saga(&self, saga: Uuid) -> Option<&Order> {
        self.by_saga.get(&saga).and_then(|at| self.all.get(*at))
    }

    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let sql = "SELECT order_id, order_number, checkout_id, saga_id, status, currency, total_minor, \
                   shipping_price_minor, payment_id FROM orders ORDER BY order_number";
        let mut all = reader
            .rows(sql, |row| {
                Ok(Order {
                    id: id(row, "order_id")?,
                    number: row.try_get("order_number")?,
                    checkout: id(row, "checkout_id")?,
                    saga: id(row, "saga_id")?,
                    status: status(row)?,
                    currency: row.try_get("currency")?,
                    total_minor: row.try_get("total_minor")?,
                    shipping_minor: row.try_get("shipping_price_minor")?,
                    payment: id(row, "payment_id")?,
                    confirmed_at_ms: None,
                    history_says: None,
                    items: BTreeMap::new(),
                    lines_minor: 0,
                })
            })
            .await?;
        let by_id: BTreeMap<Uuid, usize> = all.iter().enumerate().map(|(at, order)| (order.id, at)).collect();
        let lines = reader
            .rows("SELECT order_id, sku, quantity, unit_price_minor FROM order_items", |row| {
                let quantity: i64 = row.try_get("quantity")?;
                let price: i64 = row.try_get("unit_price_minor")?;
                Ok((id(row, "order_id")?, row.try_get::<String, _>("sku")?, quantity, price))
            })
            .await?;
        for (order, sku, quantity, price) in lines {
            if let Some(order) = by_id.get(&order).and_then(|at| all.get_mut(*at)) {
                let line = order.items.entry(sku).or_default();
                *line = line.saturating_add(quantity);
                order.lines_minor = order.lines_minor.saturating_add(quantity.saturating_mul(price));
            }
        }
        let sql = "SELECT order_id, status, at_ms FROM order_status_changes ORDER BY order_id, seq";
        let changes = reader
            .rows(sql, |row| Ok((id(row, "order_id")?, status(row)?, row.try_get::<i64, _>("at_ms")?)))
            .await?;
        for (order, status, at_ms) in changes {
            if let Some(order) = by_id.get(&order).and_then(|at| all.get_mut(*at)) {
                order.history_says = Some(status);
                if status == OrderStatus::Confirmed {
                    order.confirmed_at_ms = Some(at_ms);
                }
            }
        }
        Ok(Self {
            by_payment: all.iter().enumerate().map(|(at, order)| (order.payment, at)).collect(),
            by_saga: all.iter().enumerate().map(|(at, order)| (order.saga, at)).collect(),
            all,
            outbox: Outbox::read(reader).await?,
        })
    }
}

fn status(row: &sqlx::any::AnyRow) -> Result<OrderStatus, sqlx::Error> {
    let word: String = row.try_get("status")?;
    OrderStatus::of(&word).ok_or_else(|| wrong("status", format!("{word} is no status of an order")))
}
