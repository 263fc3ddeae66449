//! Our ledger's refunds: promised, done or failed, and what follows when one fails after it was done.
//!
//! What is pending counts as given back, so that pending and done refunds together never exceed what was captured:
//! [`claimed`] is read in the transaction that writes the intent, under the payment's lock.

use backstitch_proto::events::RefundFailed;
use backstitch_proto::money::Money;
use metrics::counter;
use outbox_relay::Event;
use participant_kit::{CallMeta, OpError, Tx};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use uuid::Uuid;

use crate::gateway::{ProviderRefund, RefundState};
use crate::ledger::{self, uuid};
use crate::metrics::REVERSED;
use crate::payment::{Kind, Payment};
use crate::{cases, notices};

/// When a refund that is done is looked at for the first time, and the longest pause after it. Milliseconds.
const FIRST_LOOK_MS: i64 = 60 * 60 * 1_000;
const LONGEST_PAUSE_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long after it was done a refund is looked at: banks send money back for some thirty days.
const LOOKED_AT_FOR_MS: i64 = 35 * 24 * 60 * 60 * 1_000;

/// A refund as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: Uuid,
    pub(crate) payment: Uuid,
    pub(crate) saga: Uuid,
    pub(crate) root: Uuid,
    pub(crate) amount_minor: i64,
    pub(crate) status: Status,
    /// Empty until the provider has shown it.
    pub(crate) provider_id: String,
    /// The provider's word, once it failed.
    pub(crate) why: String,
    /// Since when the provider knows its key, at the latest.
    pub(crate) key_from_ms: i64,
    /// When the status was entered.
    pub(crate) updated_at_ms: i64,
    /// When it is looked at next; 0: no more.
    pub(crate) look_at_ms: i64,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Promised: counts against what was captured.
    Pending,
    /// The provider said that the money went back. It may fail all the same.
    Done,
    /// The money stays taken, for good.
    Failed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Done => "done",
            Status::Failed => "failed",
        }
    }
}

/// How a refund ended, from what the provider showed or said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The money went back.
    Done {
        /// The provider's id.
        provider_id: String,
    },
    /// The money stays taken.
    Failed {
        /// The provider's word.
        why: String,
    },
}

impl End {
    /// None while the provider has not decided.
    pub(crate) fn of(seen: &ProviderRefund) -> Option<Self> {
        match seen.state {
            RefundState::Pending => None,
            RefundState::Succeeded => Some(End::Done { provider_id: seen.id.clone() }),
            RefundState::Failed => Some(End::Failed { why: word(seen) }),
        }
    }
}

/// Why a refund failed.
pub(crate) fn word(seen: &ProviderRefund) -> String {
    seen.failure.clone().unwrap_or_else(|| "the provider does not say why".into())
}

/// The refund, if there is one.
pub(crate) async fn load(conn: &mut AnyConnection, id: Uuid) -> Result<Option<Refund>, OpError> {
    let row =
        sqlx::query(include_str!("sql/refunds/load.sql")).bind(id.to_string()).fetch_optional(conn).await?;
    row.map(|row| refund(&row)).transpose()
}

/// The refunds of a payment, oldest first.
pub(crate) async fn of_payment(conn: &mut AnyConnection, payment: Uuid) -> Result<Vec<Refund>, OpError> {
    let query = sqlx::query(include_str!("sql/refunds/of_payment.sql")).bind(payment.to_string());
    query.fetch_all(conn).await?.iter().map(refund).collect()
}

/// The refunds of every payment that was created between these two, both included, oldest first for each.
pub(crate) async fn of_page(
    conn: &mut AnyConnection,
    first: &Payment,
    last: &Payment,
) -> Result<Vec<Refund>, OpError> {
    let mut query = sqlx::query(include_str!("sql/refunds/of_page.sql"));
    for end in [first, last] {
        query = query.bind(end.created_at_ms).bind(end.id.to_string());
    }
    query.fetch_all(conn).await?.iter().map(refund).collect()
}

/// At most `limit` done refunds that are to be looked at by `now_ms`.
pub(crate) async fn due(conn: &mut AnyConnection, now_ms: i64, limit: i64) -> Result<Vec<Refund>, OpError> {
    let query = sqlx::query(include_str!("sql/refunds/due.sql")).bind(now_ms).bind(limit);
    query.fetch_all(conn).await?.iter().map(refund).collect()
}

/// It was looked at and has not failed, or could not be looked at: when it is looked at again.
pub(crate) async fn look_again(tx: &mut Tx<'_>, refund: &Refund) -> Result<(), OpError> {
    let next_ms = next_look_ms(refund.updated_at_ms, tx.now_ms());
    let query = sqlx::query(include_str!("sql/refunds/look_again.sql"));
    query.bind(refund.id.to_string()).bind(refund.look_at_ms).bind(next_ms).execute(tx.conn()).await?;
    Ok(())
}

/// Twice as old every time, and daily at the least; 0 once banks send nothing back any more.
fn next_look_ms(done_at_ms: i64, now_ms: i64) -> i64 {
    let age_ms = now_ms.saturating_sub(done_at_ms);
    if age_ms >= LOOKED_AT_FOR_MS {
        return 0;
    }
    now_ms.saturating_add(age_ms.clamp(FIRST_LOOK_MS, LONGEST_PAUSE_MS))
}

/// What is given back or promised to be, in minor units.
pub(crate) async fn claimed(tx: &mut Tx<'_>, payment: Uuid) -> Result<i64, OpError> {
    Ok(sqlx::query_scalar(include_str!("sql/refunds/claimed.sql"))
        .bind(payment.to_string())
        .fetch_one(tx.conn())
        .await?)
}

/// Writes the intent to refund; the caller has checked [`claimed`] under the payment's lock. False if the id is taken.
pub(crate) async fn open(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    id: Uuid,
    payment: &Payment,
    amount_minor: i64,
) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let done = sqlx::query(include_str!("sql/refunds/open.sql"))
        .bind(id.to_string())
        .bind(payment.id.to_string())
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(call.root.to_string())
        .bind(amount_minor)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes that the key is used anew. False: somebody else has done so, or it is settled.
pub(crate) async fn renew_key(tx: &mut Tx<'_>, refund: &Refund) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let query = sqlx::query(include_str!("sql/refunds/renew_key.sql"));
    let done =
        query.bind(refund.id.to_string()).bind(refund.key_from_ms).bind(now_ms).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}

/// Settles a pending refund, with its entry and event. Settled so already: nothing. Done, and failed now: reversed.
pub(crate) async fn settle(tx: &mut Tx<'_>, call: &CallMeta, id: Uuid, end: &End) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let Some(refund) = load(tx.conn(), id).await? else {
        return Err(OpError::broken(format!("there is no refund {id}")));
    };
    let (to, provider_id, why, look_at_ms) = match end {
        End::Done { provider_id } => (Status::Done, provider_id.as_str(), "", next_look_ms(now_ms, now_ms)),
        End::Failed { why } => (Status::Failed, refund.provider_id.as_str(), why.as_str(), 0),
    };
    let done = sqlx::query(include_str!("sql/refunds/settle.sql"))
        .bind(id.to_string())
        .bind(to.as_str())
        .bind(provider_id)
        .bind(why)
        .bind(look_at_ms)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return match (refund.status, end) {
            (Status::Done, End::Failed { why }) => reverse(tx, &refund, why).await,
            (is, _) if is == to => Ok(()),
            (is, _) => {
                let (is, to) = (is.as_str(), to.as_str());
                Err(OpError::broken(format!("refund {id} is {is}, but the provider says {to}")))
            }
        };
    }
    if to != Status::Done {
        return Ok(());
    }
    let added = sqlx::query(include_str!("sql/refunds/add.sql"))
        .bind(refund.payment.to_string())
        .bind(refund.amount_minor)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    let payment = ledger::load(tx.conn(), refund.payment).await?;
    match payment {
        Some(payment) if added.rows_affected() == 1 => {
            let (kind, amount) = (Kind::Refunded, refund.amount_minor);
            ledger::book(tx, &call.traceparent, &payment, kind, amount, &id.to_string()).await
        }
        _ => Err(OpError::broken(format!("refund {id} is more than what was captured"))),
    }
}

/// A refund that was done has failed: its money is ours again, the customer has nothing, and a person has to see to it.
/// Its entry, event, case and the notice of the case are one commit. Nothing the second time.
pub(crate) async fn reverse(tx: &mut Tx<'_>, refund: &Refund, why: &str) -> Result<(), OpError> {
    let (id, now_ms) = (refund.id.to_string(), tx.now_ms());
    let reversed = sqlx::query(include_str!("sql/refunds/reverse.sql")).bind(&id).bind(why).bind(now_ms);
    if reversed.execute(tx.conn()).await?.rows_affected() == 0 {
        return Ok(());
    }
    let taken = sqlx::query(include_str!("sql/refunds/subtract.sql"))
        .bind(refund.payment.to_string())
        .bind(refund.amount_minor)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    let payment = ledger::load(tx.conn(), refund.payment).await?;
    let Some(payment) = payment.filter(|_| taken.rows_affected() == 1) else {
        return Err(OpError::broken(format!("refund {id} was never counted as given back")));
    };
    ledger::enter(tx, &payment, Kind::Reversed, refund.amount_minor, &id).await?;
    let failed = RefundFailed {
        payment_id: payment.id.to_string(),
        refund_id: id.clone(),
        amount: Some(Money::new(refund.amount_minor, payment.amount.currency).to_proto()),
        why: why.to_owned(),
    };
    // Under the key of whatever it belongs to, as every event of the payment.
    let root = payment.root.to_string();
    let kind = "com.backstitch.payment.refund_failed.v1";
    tx.emit(Event::json("payment.events", kind, "/backstitch/payment", root, id, &failed, now_ms)).await?;
    cases::open(tx, refund, &payment, why).await?;
    notices::case(tx, refund.id, payment.root).await?;
    counter!(REVERSED).increment(1);
    tracing::error!(refund = %refund.id, payment = %payment.id, why, "a refund that was done has failed");
    Ok(())
}

fn refund(row: &AnyRow) -> Result<Refund, OpError> {
    let status: &str = row.try_get("status")?;
    let status = [Status::Pending, Status::Done, Status::Failed]
        .into_iter()
        .find(|s| s.as_str() == status)
        .ok_or_else(|| OpError::broken(format!("unknown refund status `{status}`")))?;
    Ok(Refund {
        id: uuid(row, "refund_id")?,
        payment: uuid(row, "payment_id")?,
        saga: uuid(row, "saga_id")?,
        root: uuid(row, "root_id")?,
        amount_minor: row.try_get("amount_minor")?,
        status,
        provider_id: row.try_get("provider_id")?,
        why: row.try_get("why")?,
        key_from_ms: row.try_get("key_from_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
        look_at_ms: row.try_get("look_at_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_refund_is_looked_at_ever_more_rarely_and_for_five_weeks() {
        let look = |after: &i64| Some(next_look_ms(0, *after)).filter(|next| *next > 0);
        let looks: Vec<_> =
            std::iter::successors(look(&0), look).map(|after| after / FIRST_LOOK_MS).collect();
        // Hours. The last pause but daily ones is 16: at 32 it has been looked at for longer than a day.
        let mut wanted = vec![1, 2, 4, 8, 16, 32];
        wanted.extend((1..=34).map(|days| 32 + 24 * days));
        assert_eq!(looks, wanted);

        assert_eq!(next_look_ms(7, 7 + LOOKED_AT_FOR_MS), 0);
        let last = LOOKED_AT_FOR_MS - 1;
        assert_eq!(next_look_ms(7, 7 + last), 7 + last + LONGEST_PAUSE_MS, "not a moment before");
    }
}
