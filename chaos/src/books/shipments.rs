//! Parcels.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::outbox::Outbox;
use super::reader::{Reader, id};
use crate::AuditError;

/// One parcel.
#[derive(Debug)]
pub(crate) struct Shipment {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) cancelled: bool,
    pub(crate) created_at_ms: i64,
}

/// What a return came to of its parcel.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) id: Uuid,
    pub(crate) shipment: Uuid,
    pub(crate) order: Uuid,
    /// The return's.
    pub(crate) saga: Uuid,
    /// cancelled, received, none
    pub(crate) outcome: String,
    pub(crate) at_ms: i64,
}

/// All parcels.
#[derive(Debug)]
pub(crate) struct Shipments {
    pub(crate) all: Vec<Shipment>,
    pub(crate) receipts: Vec<Receipt>,
    /// How many that were not cancelled, by order.
    by_order: BTreeMap<Uuid, usize>,
    pub(crate) outbox: Outbox,
}

impl Shipments {
    /// How many parcels of an order are with the carrier.
    pub(crate) fn of_order(&self, order: Uuid) -> usize {
        self.by_order.get(&order).copied().unwrap_or(0)
    }

    /// Whether a return kept the parcel of an order from leaving, or from ever being.
    pub(crate) fn is_called_back(&self, order: Uuid) -> bool {
        self.receipts.iter().any(|receipt| receipt.order == order && receipt.outcome != "received")
    }

    /// Whether a return came before the parcel did: then nobody was told of it.
    pub(crate) fn never_was(&self, shipment: Uuid) -> bool {
        self.receipts.iter().any(|receipt| receipt.shipment == shipment && receipt.outcome == "none")
    }

    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let all = reader
            .rows("SELECT shipment_id, order_id, saga_id, status, created_at_ms FROM shipments", |row| {
                Ok(Shipment {
                    id: id(row, "shipment_id")?,
                    order: id(row, "order_id")?,
                    saga: id(row, "saga_id")?,
                    cancelled: row.try_get::<String, _>("status")? == "cancelled",
                    created_at_ms: row.try_get("created_at_ms")?,
                })
            })
            .await?;
        let mut by_order: BTreeMap<Uuid, usize> = BTreeMap::new();
        for shipment in all.iter().filter(|shipment| !shipment.cancelled) {
            *by_order.entry(shipment.order).or_default() += 1;
        }
        let sql = "SELECT receipt_id, shipment_id, order_id, saga_id, outcome, at_ms FROM receipts";
        let receipts = reader
            .rows(sql, |row| {
                Ok(Receipt {
                    id: id(row, "receipt_id")?,
                    shipment: id(row, "shipment_id")?,
                    order: id(row, "order_id")?,
                    saga: id(row, "saga_id")?,
                    outcome: row.try_get("outcome")?,
                    at_ms: row.try_get("at_ms")?,
                })
            })
            .await?;
        Ok(Self { all, receipts, by_order, outbox: Outbox::read(reader).await? })
    }
}
