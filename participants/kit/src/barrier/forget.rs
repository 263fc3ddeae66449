//! Forgetting: the rows of a saga that is old enough go together, or none of them does.
//!
//! The mark tells from where on older sagas may be gone. It waits for nobody: a saga with an open row stays whole behind
//! it and is served like a younger one. So of a saga older than the mark that has any row, what is absent never was; one
//! that has none is Expired. No call finds a deleted row absent and has its effect again, because of this order:
//!
//! 1. A call of a saga that a purge could meet holds the saga's lock from before its row is read until its commit. One
//!    of a younger saga holds none and asks nothing.
//! 2. A purge holds the locks of the sagas that it deletes. Under them it looks whether one has an open row by now,
//!    deletes the others whole, and raises the mark, in one transaction.
//!
//! So a call is before the purge, which meets whatever row it left, or after it, and finds the mark and no row of its
//! saga. Without the lock (on SQLite: the one writer) a call could leave a new row beside those that are being
//! deleted, and the saga would look whole. Rows of a batch are written when its last operation has run, so a purge, which
//! has to see them, shares its commit with nobody.

use backstitch_proto::contract::CallMeta;
use backstitch_proto::ids::born_ms;
use sqlx::{AssertSqlSafe, Row as _};

use super::row::Row;
use crate::kit::Kit;
use crate::lock::LockKey;
use crate::outcome::OpError;
use crate::transactor::Company;
use crate::tx::Tx;

/// How old a saga must at least be for its rows to be purged, in milliseconds.
pub(crate) const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// From what age on a saga's calls reckon with a purge: early enough for a purge by a clock that is hours ahead, and for a
/// transaction that began long ago.
const AGED_AFTER_MS: i64 = FORGOTTEN_AFTER_MS / 2;

const MARK: &str = "SELECT before_ms, whole_from_ms FROM barrier_forgotten WHERE one = 1";
const ANY_ROW: &str = "SELECT 1 FROM barrier WHERE saga_id = $1 LIMIT 1";
const NEWEST: &str = include_str!("sql/forget/newest.sql");
const OLD: &str = include_str!("sql/forget/old.sql");
const RAISE: &str = include_str!("sql/forget/raise.sql");

/// What a call of this saga locks beside its row: the saga, if a purge could meet it.
pub(crate) fn lock_of(call: &CallMeta, now_ms: i64) -> Option<LockKey> {
    let born = born_ms(call.saga)?;
    (now_ms.saturating_sub(born) > AGED_AFTER_MS).then(|| lock(&call.saga.to_string()))
}

fn lock(saga: &str) -> LockKey {
    LockKey::new("barrier", saga)
}

/// The row of a call, for the table to decide on: no purge is at its saga until this transaction ends.
pub(crate) fn found(tx: &Tx<'_>, call: &CallMeta) -> Result<Row, OpError> {
    tx.lock(lock_of(call, tx.now_ms()))?;
    tx.row()
}

/// Asked where a row is absent: whether there never was one.
pub(crate) async fn never_was(tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
    let (Some(born), Some(_)) = (born_ms(call.saga), lock_of(call, tx.now_ms())) else { return Ok(()) };
    let Some(mark) = sqlx::query(MARK).fetch_optional(tx.conn()).await? else { return Ok(()) };
    let (before_ms, whole_from_ms): (i64, i64) = (mark.try_get(0)?, mark.try_get(1)?);
    if born >= before_ms {
        return Ok(());
    }
    let saga = call.saga.to_string();
    if born >= whole_from_ms && sqlx::query(ANY_ROW).bind(saga).fetch_optional(tx.conn()).await?.is_some() {
        return Ok(());
    }
    Err(OpError::Broken("expired: the rows of a saga this old may be gone".into()))
}

/// Raises the mark to `before_ms`, or to where no saga is too young for it, and deletes the rows of older sagas, saga by
/// saga until `limit` rows are reached. Answers how many.
pub(crate) async fn purge(kit: &Kit, before_ms: i64, limit: u32) -> Result<u64, OpError> {
    let before_ms = before_ms.min(kit.clock().now_ms().saturating_sub(FORGOTTEN_AFTER_MS));
    let sagas = old(kit, before_ms, limit).await?;
    let mut locks: Vec<LockKey> = sagas.iter().map(|saga| lock(saga)).collect();
    // Two purges would only wait for each other's sagas.
    locks.push(LockKey::new("barrier", "purge"));
    let body: crate::transactor::Body<u64> = Box::new(move |tx| {
        let sagas = sagas.clone();
        Box::pin(async move {
            sqlx::query(RAISE).bind(before_ms).execute(tx.conn()).await?;
            delete(tx, &sagas).await
        })
    });
    kit.transactor().run_in(Company::Nobody, locks, body).await
}

/// The least id of the sagas that are no older than the mark; `None` while there is none.
pub(crate) async fn answers_from(kit: &Kit) -> Result<Option<String>, OpError> {
    let mark = sqlx::query(MARK).fetch_optional(kit.reads()).await?;
    Ok(mark.map(|mark| mark.try_get(0)).transpose()?.map(first_id_at))
}

/// When the newest saga that has a row was born, of those born at `now_ms` or before; `None` if there is none.
pub(crate) async fn newest_ms(kit: &Kit, now_ms: i64) -> Result<Option<i64>, OpError> {
    let query = sqlx::query(NEWEST).bind(first_id_at(now_ms.saturating_add(1)));
    let Some(row) = query.fetch_optional(kit.reads()).await? else { return Ok(None) };
    Ok(row.try_get::<String, _>(0)?.parse().ok().and_then(born_ms))
}

/// Sagas that may be deleted, as it looks without their locks: the oldest, with `limit` rows between them or a few more.
async fn old(kit: &Kit, before_ms: i64, limit: u32) -> Result<Vec<String>, OpError> {
    let query = sqlx::query(OLD).bind(first_id_at(before_ms)).bind(i64::from(limit));
    let (mut sagas, mut rows) = (Vec::new(), 0);
    for saga in query.fetch_all(kit.reads()).await? {
        if rows >= i64::from(limit) {
            break;
        }
        rows += saga.try_get::<i64, _>(1)?;
        sagas.push(saga.try_get(0)?);
    }
    Ok(sagas)
}

/// Deletes all rows of those of `sagas` that have no open one.
async fn delete(tx: &mut Tx<'_>, sagas: &[String]) -> Result<u64, OpError> {
    if sagas.is_empty() {
        return Ok(0);
    }
    let places: Vec<String> = (1..=sagas.len()).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    let sql = format!(
        "DELETE FROM barrier WHERE saga_id IN ({places}) AND saga_id NOT IN \
         (SELECT saga_id FROM barrier WHERE saga_id IN ({places}) AND state IN ('doing', 'closing'))"
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for saga in sagas {
        query = query.bind(saga.clone());
    }
    Ok(query.execute(tx.conn()).await?.rows_affected())
}

/// The least text of a UUIDv7 born at `ms`.
fn first_id_at(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or(0) & 0xffff_ffff_ffff;
    format!("{:08x}-{:04x}-", ms >> 16, ms & 0xffff)
}

#[cfg(test)]
mod tests {
    use backstitch_proto::contract::Op;
    use uuid::Uuid;

    use super::*;

    fn at(ms: u64) -> Uuid {
        let nanos = u32::try_from(ms % 1000).unwrap() * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, nanos))
    }

    #[test]
    fn a_saga_s_id_sorts_by_its_age() {
        let saga = at(1_700_000_000_123);
        assert!(saga.to_string() >= first_id_at(1_700_000_000_123));
        assert!(saga.to_string() < first_id_at(1_700_000_000_124));
    }

    #[test]
    fn a_saga_is_locked_from_half_the_age_on_at_which_it_may_be_purged() {
        let call = crate::testing::call(at(1_700_000_000_000), "pay", Op::Do);
        assert_eq!(lock_of(&call, 1_700_000_000_000 + AGED_AFTER_MS), None);
        assert_eq!(
            lock_of(&call, 1_700_000_000_001 + AGED_AFTER_MS),
            Some(LockKey::new("barrier", &call.saga.to_string()))
        );
        let ageless = crate::testing::call(Uuid::from_u128(1), "pay", Op::Do);
        assert_eq!(lock_of(&ageless, i64::MAX), None);
    }
}
