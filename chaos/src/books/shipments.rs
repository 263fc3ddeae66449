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

/// All parcels.
#[derive(Debug)]
pub(crate) struct Shipments {
    pub(crate) all: Vec<Shipment>,
    /// How many that were not cancelled, by order.
    by_order: BTreeMap<Uuid, usize>,
    pub(crate) outbox: Outbox,
}

impl Shipments {
    /// How many parcels of an order are with the carrier.
    pub(crate) fn of_order(&self, order: Uuid) -> usize {
        self.by_order.get(&order).copied().unwrap_or(0)
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
        Ok(Self { all, by_order, outbox: Outbox::read(reader).await? })
    }
}
