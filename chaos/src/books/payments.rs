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
    pub(crate) released_minor: i64,
    pub(crate) refunded_minor: i64,
    /// In order: kind, amount, time.
    pub(crate) entries: Vec<(String, i64, i64)>,
    /// Refunds that were asked for, whatever became of them.
    pub(crate) refunds: Vec<Refund>,
    /// Refunds that failed after they had been done, and how much each was, by our entries.
    pub(crate) reversals: Vec<(String, i64)>,
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

    /// Refunds that failed of the saga that paid: what its undo was to give back.
    pub(crate) fn failed_undos(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().filter(|refund| refund.saga == self.saga && refund.status == "failed")
    }

    /// What our entries leave of the hold.
    pub(crate) fn held_minor(&self) -> i64 {
        let gone = ["captured", "voided", "released"].map(|kind| self.sum(kind));
        gone.into_iter().fold(self.sum("authorized"), i64::saturating_sub)
    }
}

/// A refund that failed after it had been done, or that an undo needed, as a person is told of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The refund's id.
    pub(crate) id: String,
    pub(crate) payment: Uuid,
    pub(crate) amount_minor: i64,
}

/// All payments.
#[derive(Debug)]
pub(crate) struct Payments {
    pub(crate) all: BTreeMap<Uuid, Payment>,
    pub(crate) cases: Vec<Case>,
    pub(crate) outbox: Outbox,
}

impl Payments {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let sql = "SELECT payment_id, saga_id, order_id, amount_minor, currency, status, provider, \
                   authorized_minor, captured_minor, voided_minor, released_minor, refunded_minor FROM payments";
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
                    released_minor: row.try_get("released_minor")?,
                    refunded_minor: row.try_get("refunded_minor")?,
                    entries: Vec::new(),
                    refunds: Vec::new(),
                    reversals: Vec::new(),
                })
            })
            .await?;
        let mut all: BTreeMap<Uuid, Payment> =
            rows.into_iter().map(|payment| (payment.id, payment)).collect();
        let sql = "SELECT payment_id, kind, amount_minor, at_ms, reference FROM entries ORDER BY payment_id, number";
        let entries = reader
            .rows(sql, |row| {
                let entry: (String, i64, i64) =
                    (row.try_get("kind")?, row.try_get("amount_minor")?, row.try_get("at_ms")?);
                Ok((id(row, "payment_id")?, entry, row.try_get::<String, _>("reference")?))
            })
            .await?;
        for (payment, entry, reference) in entries {
            if let Some(payment) = all.get_mut(&payment) {
                if entry.0 == "reversed" {
                    payment.reversals.push((reference, entry.1));
                }
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
        let cases = reader
            .rows("SELECT case_id, payment_id, amount_minor FROM cases ORDER BY case_id", |row| {
                let (id, payment) = (row.try_get("case_id")?, id(row, "payment_id")?);
                Ok(Case { id, payment, amount_minor: row.try_get("amount_minor")? })
            })
            .await?;
        Ok(Self { all, cases, outbox: Outbox::read(reader).await? })
    }
}
