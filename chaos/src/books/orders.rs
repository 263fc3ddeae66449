//! The orders.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::outbox::Outbox;
use super::reader::{Reader, id, wrong};
use super::returns::{self, Return, ReturnStatus};
use super::total;
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
    /// Its lines by number.
    pub(crate) lines: BTreeMap<i64, Line>,
    /// What its row says that its returns give back.
    pub(crate) returned_minor: i64,
    /// Oldest first.
    pub(crate) returns: Vec<Return>,
}

/// One line of an order.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    /// How many of them its row says come back.
    pub(crate) returned: i64,
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

    /// What completed returns credited.
    pub(crate) fn credited_minor(&self) -> i64 {
        total(self.completed().map(|one| one.refund_minor))
    }

    /// Its completed returns.
    pub(crate) fn completed(&self) -> impl Iterator<Item = &Return> {
        self.returns.iter().filter(|one| one.status == ReturnStatus::Completed)
    }

    /// A return made it good before it stood.
    pub(crate) fn was_made_good(&self) -> bool {
        self.status == OrderStatus::Cancelled && self.completed().any(|one| one.made_good)
    }

    /// What comes back by some of its returns, by SKU.
    pub(crate) fn back<'a>(&'a self, by: impl IntoIterator<Item = &'a Return>) -> BTreeMap<&'a str, i64> {
        let mut back: BTreeMap<&str, i64> = BTreeMap::new();
        for (line, quantity) in by.into_iter().flat_map(|one| &one.lines) {
            if let Some(line) = self.lines.get(line) {
                let sum = back.entry(&line.sku).or_default();
                *sum = sum.saturating_add(*quantity);
            }
        }
        back
    }
}

/// All orders.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) all: Vec<Order>,
    by_payment: BTreeMap<Uuid, usize>,
    by_saga: BTreeMap<Uuid, usize>,
    by_return: BTreeMap<Uuid, usize>,
    /// Returns of orders that are not there.
    pub(crate) strays: Vec<Return>,
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

    /// The return that a saga made, with its order.
    pub(crate) fn return_of(&self, saga: Uuid) -> Option<(&Order, &Return)> {
        let order = self.all.get(*self.by_return.get(&saga)?)?;
        Some((order, order.returns.iter().find(|one| one.saga == saga)?))
    }

    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let sql = "SELECT order_id, order_number, checkout_id, saga_id, status, currency, total_minor, \
                   shipping_price_minor, payment_id, returned_minor FROM orders ORDER BY order_number";
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
                    lines: BTreeMap::new(),
                    returned_minor: row.try_get("returned_minor")?,
                    returns: Vec::new(),
                })
            })
            .await?;
        let by_id: BTreeMap<Uuid, usize> = all.iter().enumerate().map(|(at, order)| (order.id, at)).collect();
        let lines = reader
            .rows(
                "SELECT order_id, line, sku, quantity, unit_price_minor, returned FROM order_items",
                |row| {
                    let line = Line {
                        sku: row.try_get("sku")?,
                        quantity: row.try_get("quantity")?,
                        returned: row.try_get("returned")?,
                    };
                    let price: i64 = row.try_get("unit_price_minor")?;
                    Ok((id(row, "order_id")?, row.try_get::<i64, _>("line")?, line, price))
                },
            )
            .await?;
        for (order, number, line, price) in lines {
            if let Some(order) = by_id.get(&order).and_then(|at| all.get_mut(*at)) {
                let sum = order.items.entry(line.sku.clone()).or_default();
                *sum = sum.saturating_add(line.quantity);
                order.lines_minor = order.lines_minor.saturating_add(line.quantity.saturating_mul(price));
                order.lines.insert(number, line);
            }
        }
        let (mut strays, mut by_return) = (Vec::new(), BTreeMap::new());
        for one in returns::read(reader).await? {
            match by_id.get(&one.order) {
                Some(at) => {
                    by_return.insert(one.saga, *at);
                    all[*at].returns.push(one);
                }
                None => strays.push(one),
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
            by_return,
            strays,
            all,
            outbox: Outbox::read(reader).await?,
        })
    }
}

fn status(row: &sqlx::any::AnyRow) -> Result<OrderStatus, sqlx::Error> {
    let word: String = row.try_get("status")?;
    OrderStatus::of(&word).ok_or_else(|| wrong("status", format!("{word} is no status of an order")))
}
