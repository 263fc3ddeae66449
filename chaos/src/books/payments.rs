//! Our payment ledger.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::outbox::Outbox;
use super::reader::{Reader, id};
use super::total;
use crate::AuditError;

/// One payment, with what its row says and what its entries add up to.
#[derive(Debug)]
pub(crate) struct Payment {
    pub(crate) id: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) order: Uuid,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) provider: String,
    pub(crate) authorized_minor: i64,
    pub(crate) captured_minor: i64,
    pub(crate) voided_minor: i64,
    pub(crate) refunded_minor: i64,
    /// In order: kind, amount, time.
    pub(crate) entries: Vec<(String, i64, i64)>,
    /// Refunds that were asked for, whatever became of them.
    pub(crate) refunds: Vec<Refund>,
}

/// One refund.
#[derive(Debug)]
pub(crate) struct Refund {
    pub(crate) id: String,
    /// Who asked.
    pub(crate) saga: Uuid,
    pub(crate) amount_minor: i64,
    /// pending, done, failed
    pub(crate) status: String,
}

impl Payment {
    /// The sum of the entries of a kind; of refunds, less those that failed afterwards.
    pub(crate) fn sum(&self, kind: &str) -> i64 {
        let of =
            |kind| total(self.entries.iter().filter(|(of, ..)| of == kind).map(|(_, amount, _)| *amount));
        if kind == "refunded" { of(kind).saturating_sub(of("reversed")) } else { of(kind) }
    }

    /// What our ledger says is held now.
    pub(crate) fn held_minor(&self) -> i64 {
        if self.captured_minor > 0 || self.voided_minor > 0 { 0 } else { self.authorized_minor }
    }
}

/// All payments.
#[derive(Debug)]
pub(crate) struct Payments {
    pub(crate) all: BTreeMap<Uuid, Payment>,
    pub(crate) outbox: Outbox,
}

impl Payments {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let sql = "SELECT payment_id, saga_id, order_id, amount_minor, currency, status, provider, \
                   authorized_minor, captured_minor, voided_minor, refunded_minor FROM payments";
        let rows = reader
            .rows(sql, |row| {
                Ok(Payment {
                    id: id(row, "payment_id")?,
                    saga: id(row, "saga_id")?,
                    order: id(row, "order_id")?,
                    amount_minor: row.try_get("amount_minor")?,
                    currency: row.try_get("currency")?,
                    status: row.try_get("status")?,
                    provider: row.try_get("provider")?,
                    authorized_minor: row.try_get("authorized_minor")?,
                    captured_minor: row.try_get("captured_minor")?,
                    voided_minor: row.try_get("voided_minor")?,
                    refunded_minor: row.try_get("refunded_minor")?,
                    entries: Vec::new(),
                    refunds: Vec::new(),
                })
            })
            .await?;
        let mut all: BTreeMap<Uuid, Payment> =
            rows.into_iter().map(|payment| (payment.id, payment)).collect();
        let sql = "SELECT payment_id, kind, amount_minor, at_ms FROM entries ORDER BY payment_id, number";
        let entries = reader
            .rows(sql, |row| {
                let entry = (row.try_get("kind")?, row.try_get("amount_minor")?, row.try_get("at_ms")?);
                Ok((id(row, "payment_id")?, entry))
            })
            .await?;
        for (payment, entry) in entries {
            if let Some(payment) = all.get_mut(&payment) {
                payment.entries.push(entry);
            }
        }
        let sql =
            "SELECT refund_id, payment_id, saga_id, amount_minor, status FROM refunds ORDER BY refund_id";
        let refunds = reader
            .rows(sql, |row| {
                let refund = Refund {
                    id: row.try_get("refund_id")?,
                    saga: id(row, "saga_id")?,
                    amount_minor: row.try_get("amount_minor")?,
                    status: row.try_get("status")?,
                };
                Ok((id(row, "payment_id")?, refund))
            })
            .await?;
        for (payment, refund) in refunds {
            if let Some(payment) = all.get_mut(&payment) {
                payment.refunds.push(refund);
            }
        }
        Ok(Self { all, outbox: Outbox::read(reader).await? })
    }
}
