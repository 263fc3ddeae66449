//! Our ledger's payments and their entries. Every change of a status is a compare-and-swap, every entry is written in the
//! transaction of the status and the event that belong to it. Decides nothing: the table is in
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
use crate::place::Place;

/// When to try again what met another operation on the same payment.
pub(crate) const SOON: Duration = Duration::from_millis(200);

/// What every operation on a payment contends for.
pub(crate) fn lock(payment: Uuid) -> LockKey {
    LockKey::new("payment", &payment.to_string())
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

/// The payment that has this object of the provider, if there is one.
pub(crate) async fn by_object(
    conn: &mut AnyConnection,
    provider: &str,
    object: &ProviderId,
) -> Result<Option<Payment>, OpError> {
    let query = sqlx::query(include_str!("sql/payment_by_object.sql")).bind(provider).bind(object.as_str());
    query.fetch_optional(conn).await?.map(|row| payment(&row)).transpose()
}

/// Which payments are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All.
    All,
    /// Those on which something is open.
    Open,
}

/// At most `limit` payments, oldest first, behind a place in that order.
pub(crate) async fn list(
    conn: &mut AnyConnection,
    which: Which,
    after: &Place,
    limit: i64,
) -> Result<Vec<Payment>, OpError> {
    let sql = match which {
        Which::All => include_str!("sql/list_payments.sql"),
        Which::Open => include_str!("sql/list_open_payments.sql"),
    };
    let query = sqlx::query(sql).bind(after.at_ms).bind(&after.id).bind(limit);
    query.fetch_all(conn).await?.iter().map(payment).collect()
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

/// Counts the payment's age from now: a call about it is about to be sent once more, and may be on the way as long as the
/// first.
pub(crate) async fn touch(tx: &mut Tx<'_>, id: Uuid) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let query = sqlx::query(include_str!("sql/touch_payment.sql")).bind(id.to_string()).bind(now_ms);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Brings the payment to what the provider's object shows: status, entries, events. Nothing new writes nothing.
/// What cannot be is Broken and writes nothing either.
pub(crate) async fn absorb(
    tx: &mut Tx<'_>,
    traceparent: &str,
    payment: &Payment,
    seen: &ProviderPayment,
) -> Result<Status, OpError> {
    let lesson = learn(payment, seen)?;
    let lasts = lesson.capture_before_ms == payment.capture_before_ms;
    if lesson.status == payment.status && lesson.entries.is_empty() && lasts {
        return Ok(lesson.status);
    }
    write(tx, payment, &lesson).await?;
    for (kind, amount_minor) in &lesson.entries {
        book(tx, traceparent, payment, *kind, *amount_minor, "").await?;
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
        .bind(sum(Kind::Released, payment.released_minor))
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    let why = format!("payment {} was {} a moment ago", payment.id, payment.status.as_str());
    Err(OpError::not_now(SOON, why))
}

/// Appends an entry. The payment's row is locked by the statement before.
pub(crate) async fn enter(
    tx: &mut Tx<'_>,
    payment: &Payment,
    kind: Kind,
    amount_minor: i64,
    reference: &str,
) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    sqlx::query(include_str!("sql/book_entry.sql"))
        .bind(payment.id.to_string())
        .bind(kind.as_str())
        .bind(amount_minor)
        .bind(reference)
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Appends an entry and publishes it.
pub(crate) async fn book(
    tx: &mut Tx<'_>,
    traceparent: &str,
    payment: &Payment,
    kind: Kind,
    amount_minor: i64,
    reference: &str,
) -> Result<(), OpError> {
    enter(tx, payment, kind, amount_minor, reference).await?;
    let (id, now_ms, kind) = (payment.id.to_string(), tx.now_ms(), kind.as_str());
    let amount = Money::new(amount_minor, payment.amount.currency).to_proto();
    let changed = PaymentChanged { payment_id: id.clone(), status: kind.to_owned(), amount: Some(amount) };
    let (root, kind) = (payment.root.to_string(), format!("com.backstitch.payment.{kind}.v1"));
    let event = Event::json("payment.events", kind, "/backstitch/payment", root, id, &changed, now_ms);
    tx.emit(event.traced(traceparent.to_owned())).await
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
        provider: row.try_get("provider")?,
        status: Status::of(status)
            .ok_or_else(|| OpError::broken(format!("unknown payment status `{status}`")))?,
        provider_id: (!provider_id.is_empty()).then(|| ProviderId::new(provider_id)),
        capture_before_ms: row.try_get("capture_before_ms")?,
        authorized_minor: row.try_get("authorized_minor")?,
        captured_minor: row.try_get("captured_minor")?,
        voided_minor: row.try_get("voided_minor")?,
        refunded_minor: row.try_get("refunded_minor")?,
        released_minor: row.try_get("released_minor")?,
        created_at_ms: row.try_get("created_at_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
    })
}

/// An id in a column.
pub(crate) fn uuid(row: &AnyRow, column: &'static str) -> Result<Uuid, OpError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| OpError::broken(format!("{column}: `{text}` is no id")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use participant_kit::{Kit, ManualClock, Op};

    use super::*;

    #[tokio::test]
    async fn a_move_from_where_the_payment_is_no_longer_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("payment.db").display());
        let clock = Arc::new(ManualClock::new(1_700_000_000_000));
        let kit = Kit::open(&crate::SCHEMA, &url, clock).await.unwrap();
        let id = Uuid::now_v7();
        let opened = kit.run(Vec::new(), move |tx| {
            let call = CallMeta {
                saga: id,
                root: id,
                name: "checkout".into(),
                step: "authorize_payment".into(),
                op: Op::Do,
                attempt: 1,
                traceparent: String::new(),
            };
            let amount = Money::new(1_000, Currency::parse("EUR").unwrap());
            Box::pin(async move { open(tx, &call, id, amount, "order", "sandbox").await })
        });
        assert!(opened.await.unwrap());
        let now = async || load(&mut kit.reads().acquire().await.unwrap(), id).await.unwrap().unwrap();
        let moved = async |from: &Payment, to: Status| {
            let from = from.clone();
            let op = kit.run(Vec::new(), move |tx| {
                let from = from.clone();
                Box::pin(async move { shift(tx, &from, to).await })
            });
            op.await
        };
        let stale = now().await;
        moved(&stale, Status::Voiding).await.unwrap();
        // Whoever has not seen that, and has no lock either.
        for to in [Status::Refused, Status::Capturing, Status::Voided] {
            assert!(matches!(moved(&stale, to).await, Err(OpError::NotNow { .. })), "{to:?}");
            assert_eq!(now().await.status, Status::Voiding);
        }
    }
}
