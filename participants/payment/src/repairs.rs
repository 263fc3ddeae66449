//! What repairs take back, as our ledger keeps it: also from objects of the provider that are of no payment here.

use backstitch_proto::money::Money;
use participant_kit::{CallMeta, OpError, Tx};
use sqlx::Row as _;
use uuid::Uuid;

use crate::attempts::Verb;
use crate::gateway::ProviderId;

/// The intent of a repair.
#[derive(Clone, Debug)]
pub(crate) struct Repair {
    pub(crate) amount_minor: i64,
    pub(crate) key_from_ms: i64,
}

/// What is to be taken back, from where.
pub(crate) struct Taking<'a> {
    pub(crate) provider: &'a str,
    pub(crate) object: &'a ProviderId,
    /// The payment that has the object, if one has.
    pub(crate) payment: Option<Uuid>,
    pub(crate) verb: Verb,
    /// Of a refund.
    pub(crate) refund: Option<Uuid>,
    pub(crate) amount: Money,
}

/// The repair of this step, if it has begun.
pub(crate) async fn load(tx: &mut Tx<'_>, call: &CallMeta) -> Result<Option<Repair>, OpError> {
    let query = sqlx::query(include_str!("sql/repairs/load.sql"));
    let row = query.bind(call.saga.to_string()).bind(&call.step).fetch_optional(tx.conn()).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Repair { amount_minor: row.try_get("amount_minor")?, key_from_ms: row.try_get("key_from_ms")? }))
}

/// Writes what is about to be taken back.
pub(crate) async fn open(tx: &mut Tx<'_>, call: &CallMeta, taking: &Taking<'_>) -> Result<(), OpError> {
    let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let now_ms = tx.now_ms();
    sqlx::query(include_str!("sql/repairs/open.sql"))
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(taking.provider)
        .bind(taking.object.as_str())
        .bind(text(taking.payment))
        .bind(taking.verb.as_str())
        .bind(text(taking.refund))
        .bind(taking.amount.minor)
        .bind(taking.amount.currency.as_str())
        .bind(now_ms)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes what it came to.
pub(crate) async fn settle(tx: &mut Tx<'_>, call: &CallMeta, outcome: &str) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let query = sqlx::query(include_str!("sql/repairs/settle.sql"));
    let query = query.bind(call.saga.to_string()).bind(&call.step).bind(outcome).bind(now_ms);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Writes that the key of its refund is used anew. False: somebody else has.
pub(crate) async fn renew_key(tx: &mut Tx<'_>, call: &CallMeta, repair: &Repair) -> Result<bool, OpError> {
    let now_ms = tx.now_ms();
    let query = sqlx::query(include_str!("sql/repairs/renew_key.sql"));
    let query = query.bind(call.saga.to_string()).bind(&call.step).bind(repair.key_from_ms).bind(now_ms);
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}
