//! The sandbox provider's own books: the bank's statement. Summed from the entries; totals are compared, not believed.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::reader::Reader;
use super::total;
use crate::AuditError;

/// One payment object at the bank.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// The merchant's payment id, as the bank was told.
    pub(crate) reference: String,
    pub(crate) saga: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    /// authorized, captured, refunded: what the row says.
    pub(crate) row_sums: [i64; 3],
    /// In order.
    pub(crate) entries: Vec<BankEntry>,
    pub(crate) refunds_pending: usize,
}

/// One line of the statement.
#[derive(Debug)]
pub(crate) struct BankEntry {
    pub(crate) kind: String,
    pub(crate) amount_minor: i64,
}

impl Account {
    /// The sum of the entries of a kind; of refunds, less those that failed afterwards.
    pub(crate) fn sum(&self, kind: &str) -> i64 {
        let of = |kind| {
            total(self.entries.iter().filter(|entry| entry.kind == kind).map(|entry| entry.amount_minor))
        };
        if kind == "refunded" { of(kind).saturating_sub(of("refund_failed")) } else { of(kind) }
    }

    /// Whether there is an entry of a kind.
    pub(crate) fn has(&self, kind: &str) -> bool {
        self.entries.iter().any(|entry| entry.kind == kind)
    }

    /// What is held now: an authorized amount that was neither taken nor let go.
    pub(crate) fn held_minor(&self) -> i64 {
        if self.has("captured") || self.has("voided") { 0 } else { self.sum("authorized") }
    }
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Bank {
    pub(crate) accounts: Vec<Account>,
}

impl Bank {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let sql = "SELECT id, reference, saga_id, amount_minor, currency, authorized_minor, captured_minor, \
                   refunded_minor FROM accounts";
        let rows = reader
            .rows(sql, |row| {
                Ok(Account {
                    id: row.try_get("id")?,
                    reference: row.try_get("reference")?,
                    saga: row.try_get("saga_id")?,
                    amount_minor: row.try_get("amount_minor")?,
                    currency: row.try_get("currency")?,
                    row_sums: [
                        row.try_get("authorized_minor")?,
                        row.try_get("captured_minor")?,
                        row.try_get("refunded_minor")?,
                    ],
                    entries: Vec::new(),
                    refunds_pending: 0,
                })
            })
            .await?;
        let mut accounts: BTreeMap<String, Account> =
            rows.into_iter().map(|account| (account.id.clone(), account)).collect();
        let sql = "SELECT account_id, kind, amount_minor FROM entries ORDER BY account_id, number";
        let entries = reader
            .rows(sql, |row| {
                let entry =
                    BankEntry { kind: row.try_get("kind")?, amount_minor: row.try_get("amount_minor")? };
                Ok((row.try_get::<String, _>("account_id")?, entry))
            })
            .await?;
        for (account, entry) in entries {
            if let Some(account) = accounts.get_mut(&account) {
                account.entries.push(entry);
            }
        }
        let pending = reader
            .rows("SELECT account_id FROM refunds WHERE state = 'pending'", |row| {
                row.try_get::<String, _>("account_id")
            })
            .await?;
        for account in pending {
            if let Some(account) = accounts.get_mut(&account) {
                account.refunds_pending += 1;
            }
        }
        Ok(Self { accounts: accounts.into_values().collect() })
    }
}
