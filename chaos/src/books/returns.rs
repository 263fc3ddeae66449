//! Returns, as the orders' database has them.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::reader::{Reader, id, wrong};
use crate::AuditError;

/// What a return is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnStatus {
    /// Its goods are nobody else's to return; its money is not given back for certain.
    Claimed,
    /// Its money is given back, its goods are back, and there is a credit note.
    Completed,
    Cancelled,
}

impl ReturnStatus {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "claimed" => Self::Claimed,
            "completed" => Self::Completed,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }
}

impl std::fmt::Display for ReturnStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Claimed => "claimed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// One return.
#[derive(Debug)]
pub(crate) struct Return {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) status: ReturnStatus,
    /// Of what was never delivered.
    pub(crate) made_good: bool,
    pub(crate) refund_minor: i64,
    /// Its credit note's number, once it is completed.
    pub(crate) number: Option<i64>,
    pub(crate) settled_at_ms: Option<i64>,
    /// Quantity by line of the order.
    pub(crate) lines: BTreeMap<i64, i64>,
}

impl Return {
    /// What people call it.
    pub(crate) fn name(&self) -> String {
        match self.number {
            Some(number) => format!("The return with credit note CN-{number:06}"),
            None => format!("A {} return", self.status),
        }
    }

    /// Whether its goods and its money are its own.
    pub(crate) fn counts(&self) -> bool {
        self.status != ReturnStatus::Cancelled
    }
}

/// Every return, oldest first of each order.
pub(super) async fn read(reader: &mut Reader) -> Result<Vec<Return>, AuditError> {
    let sql = "SELECT return_id, order_id, saga_id, status, make_good, refund_minor, credit_note_number, \
               settled_at_ms FROM order_returns ORDER BY order_id, seq";
    let mut all = reader
        .rows(sql, |row| {
            let word: String = row.try_get("status")?;
            let status = ReturnStatus::of(&word);
            Ok(Return {
                id: id(row, "return_id")?,
                order: id(row, "order_id")?,
                saga: id(row, "saga_id")?,
                status: status.ok_or_else(|| wrong("status", format!("{word} is no status of a return")))?,
                made_good: row.try_get::<i64, _>("make_good")? != 0,
                refund_minor: row.try_get("refund_minor")?,
                number: row.try_get("credit_note_number")?,
                settled_at_ms: row.try_get("settled_at_ms")?,
                lines: BTreeMap::new(),
            })
        })
        .await?;
    let by_id: BTreeMap<Uuid, usize> = all.iter().enumerate().map(|(at, one)| (one.id, at)).collect();
    let lines = reader
        .rows("SELECT return_id, line, quantity FROM order_return_lines", |row| {
            Ok((id(row, "return_id")?, row.try_get::<i64, _>("line")?, row.try_get::<i64, _>("quantity")?))
        })
        .await?;
    for (one, line, quantity) in lines {
        if let Some(one) = by_id.get(&one).and_then(|at| all.get_mut(*at)) {
            one.lines.insert(line, quantity);
        }
    }
    Ok(all)
}
