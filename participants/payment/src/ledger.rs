//! Our ledger's tables: payments, entries, refunds. Every change of a status is a compare-and-swap, every entry is
//! written in the transaction of the status and the event that belong to it. Decides nothing: the table is in
//! [`learn`](crate::learn), the moves are the actions'.

use std::time::Duration;

use backstitch_proto::events::PaymentChanged;
use backstitch_proto::money::{Currency, Money};
use outbox_relay::Event;
use participant_kit::{CallMeta, LockKey, OpError, Tx};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use uuid::Uuid;

use crate::gateway::{ProviderId, ProviderPayment};
use crate::learn::{Lesson, Nonsense, learn};
use crate::payment::{Kind, Payment, Status};

/// When to try again what met another operation on the same payment.
pub(crate) const SOON: Duration = Duration::from_millis(200);

/// What every operation on a payment contends for.
pub(crate) fn lock(payment: Uuid) -> LockKey {
    LockKey::new("payment", &payment.to_string())
}

/// A refund as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: Uuid,
    pub(crate) payment: Uuid,
    pub(crate) amount_minor: i64,
    pub(crate) status: RefundStatus,
}

/// Where a refund stands. `Done` and `Failed` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    /// Promised: counts against what was captured.
    Pending,
    /// The provider said that the money went back.
    Done,
    /// The money stays taken.
    Failed,
}

impl RefundStatus {
    fn as_str(self) -> &'static str {
        match self {
            RefundStatus::Pending => "pending",
            RefundStatus::Done => "done",
            RefundStatus::Failed => "failed",
        }
    }
}

impl From<Nonsense> for OpError {
    fn from(nonsense: Nonsense) -> Self {
        OpError::broken(nonsense.to_string())
    }
}

/// The payment, if there is one.
pub(crate) async fn load(conn: &mut AnyConnection, id: Uuid) -> Result<Option<Payment>, OpError> {
    let row =
        sqlx::query(include_str!("sql/load_payment.sql")).bind(id.to_string()).fetch_optional(conn).await?;
    row.map(|row| payment(&row)).transpose()
}

/// Writes the intent to authorize. False if the id or the (saga, step) is taken.
pub(crate) async fn open(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    id: Uuid,
    amount: Money,
    order_id: &str,
    provider: &str,
) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let done = sqlx::query(include_str!("sql/open_payment.sql"))
        .bind(id.to_string())
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(call.root.to_string())
        .bind(order_id)
        .bind(amount.minor)
        .bind(amount.currency.as_str())
        .bind(provider)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the provider's id, if the hold is still wanted. False: nothing may be confirmed.
pub(crate) async fn attach(tx: &mut Tx<'_>, id: Uuid, provider_id: &ProviderId) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let done = sqlx::query(include_str!("sql/attach_provider_id.sql"))
        .bind(id.to_string())
        .bind(provider_id.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a payment that has no provider's object, so that it never gets one. False: it has one.
pub(crate) async fn abandon_unattached(tx: &mut Tx<'_>, id: Uuid) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let done = sqlx::query(include_str!("sql/abandon_unattached.sql"))
        .bind(id.to_string())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves a payment without any money having moved.
pub(crate) async fn shift(tx: &mut Tx<'_>, payment: &Payment, to: Status) -> Result<(), OpError> {
    let lesson = Lesson { status: to, entries: Vec::new(), capture_before_ms: payment.capture_before_ms };
    write(tx, payment, &lesson).await
}

/// Brings the payment to what the provider's object shows: status, entries, events. Nothing new writes nothing.
/// What cannot be is Broken and writes nothing either.
pub(crate) async fn absorb(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    payment: &Payment,
    seen: &ProviderPayment,
) -> Result<Status, OpError> {
    let lesson = learn(payment, seen)?;
    if lesson.status == payment.status && lesson.entries.is_empty() {
        return Ok(lesson.status);
    }
    write(tx, payment, &lesson).await?;
    for (kind, amount_minor) in &lesson.entries {
        book(tx, call, payment, *kind, *amount_minor, "").await?;
    }
    Ok(lesson.status)
}

async fn write(tx: &mut Tx<'_>, payment: &Payment, lesson: &Lesson) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let sum = |kind, before: i64| {
        let booked = lesson.entries.iter().filter(|(k, _)| *k == kind).map(|(_, amount)| *amount);
        booked.fold(before, i64::saturating_add)
    };
    let done = sqlx::query(include_str!("sql/move_payment.sql"))
        .bind(payment.id.to_string())
        .bind(payment.status.as_str())
        .bind(lesson.status.as_str())
        .bind(lesson.capture_before_ms)
        .bind(sum(Kind::Authorized, payment.authorized_minor))
        .bind(sum(Kind::Captured, payment.captured_minor))
        .bind(sum(Kind::Voided, payment.voided_minor))
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let why = format!("payment {} was {} a moment ago", payment.id, payment.status.as_str());
    Err(OpError::not_now(SOON, why))
}

/// Appends an entry and publishes it. The payment's row is locked by the statement before.
async fn book(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    payment: &Payment,
    kind: Kind,
    amount_minor: i64,
    reference: &str,
) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let id = payment.id.to_string();
    sqlx::query(include_str!("sql/book_entry.sql"))
        .bind(&id)
        .bind(kind.as_str())
        .bind(amount_minor)
        .bind(reference)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    let changed = PaymentChanged {
        payment_id: id.clone(),
        status: kind.as_str().to_owned(),
        amount: Some(Money::new(amount_minor, payment.amount.currency).to_proto()),
    };
    let kind = format!("com.backstitch.payment.{}.v1", kind.as_str());
    let root = payment.root.to_string();
    let event = Event::json("payment.events", kind, "/backstitch/payment", root, id, &changed, now_ms);
    tx.emit(event.traced(call.traceparent.clone())).await
}

/// The refund, if there is one.
pub(crate) async fn load_refund(conn: &mut AnyConnection, id: Uuid) -> Result<Option<Refund>, OpError> {
    let row =
        sqlx::query(include_str!("sql/load_refund.sql")).bind(id.to_string()).fetch_optional(conn).await?;
    row.map(|row| refund(&row)).transpose()
}

/// What is given back or promised to be, in minor units.
pub(crate) async fn claimed(tx: &mut Tx<'_>, payment: Uuid) -> Result<i64, OpError> {
    Ok(sqlx::query_scalar(include_str!("sql/claimed_refunds.sql"))
        .bind(payment.to_string())
        .fetch_one(tx.conn())
        .await?)
}

/// Writes the intent to refund; the caller has checked [`claimed`] under the payment's lock. False if the id is taken.
pub(crate) async fn open_refund(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    id: Uuid,
    payment: &Payment,
    amount_minor: i64,
) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let done = sqlx::query(include_str!("sql/open_refund.sql"))
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

/// Settles a pending refund as done or failed, with its entry and event. Settled already: nothing.
pub(crate) async fn settle_refund(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    id: Uuid,
    to: RefundStatus,
) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let Some(refund) = load_refund(tx.conn(), id).await? else {
        return Err(OpError::broken(format!("there is no refund {id}")));
    };
    let done = sqlx::query(include_str!("sql/settle_refund.sql"))
        .bind(id.to_string())
        .bind(to.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        if refund.status == to {
            return Ok(());
        }
        let (is, to) = (refund.status.as_str(), to.as_str());
        return Err(OpError::broken(format!("refund {id} is {is}, but the provider says {to}")));
    }
    if to != RefundStatus::Done {
        return Ok(());
    }
    let added = sqlx::query(include_str!("sql/add_refunded.sql"))
        .bind(refund.payment.to_string())
        .bind(refund.amount_minor)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    let payment = load(tx.conn(), refund.payment).await?;
    match payment {
        Some(payment) if added.rows_affected() == 1 => {
            book(tx, call, &payment, Kind::Refunded, refund.amount_minor, &id.to_string()).await
        }
        _ => Err(OpError::broken(format!("refund {id} is more than what was captured"))),
    }
}

fn payment(row: &AnyRow) -> Result<Payment, OpError> {
    let status: &str = row.try_get("status")?;
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::parse(currency).map_err(|e| OpError::broken(e.to_string()))?;
    let provider_id: &str = row.try_get("provider_id")?;
    Ok(Payment {
        id: uuid(row, "payment_id")?,
        saga: uuid(row, "saga_id")?,
        step: row.try_get("step")?,
        root: uuid(row, "root_id")?,
        amount: Money::new(row.try_get("amount_minor")?, currency),
        order_id: row.try_get("order_id")?,
        status: Status::of(status)
            .ok_or_else(|| OpError::broken(format!("unknown payment status `{status}`")))?,
        provider_id: (!provider_id.is_empty()).then(|| ProviderId::new(provider_id)),
        capture_before_ms: row.try_get("capture_before_ms")?,
        authorized_minor: row.try_get("authorized_minor")?,
        captured_minor: row.try_get("captured_minor")?,
        voided_minor: row.try_get("voided_minor")?,
        refunded_minor: row.try_get("refunded_minor")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
    })
}

fn refund(row: &AnyRow) -> Result<Refund, OpError> {
    let status: &str = row.try_get("status")?;
    let status = [RefundStatus::Pending, RefundStatus::Done, RefundStatus::Failed]
        .into_iter()
        .find(|s| s.as_str() == status)
        .ok_or_else(|| OpError::broken(format!("unknown refund status `{status}`")))?;
    Ok(Refund {
        id: uuid(row, "refund_id")?,
        payment: uuid(row, "payment_id")?,
        amount_minor: row.try_get("amount_minor")?,
        status,
    })
}

fn uuid(row: &AnyRow, column: &'static str) -> Result<Uuid, OpError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| OpError::broken(format!("{column}: `{text}` is no id")))
}
