//! Open rows: what it takes to go on with them, who is at the provider for them now, which are due to be taken up.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backstitch_proto::contract::{CallMeta, Op};
use sqlx::Row as _;
use uuid::Uuid;

use super::row::{RowKey, state_of};
use super::table::{Aim, RowState};
use crate::kit::Kit;
use crate::outcome::OpError;
use crate::tx::Tx;

const OPEN_DO: &str = include_str!("sql/open_do.sql");
const OPEN_UNDO: &str = include_str!("sql/open_undo.sql");
const SETTLED: &str = "DELETE FROM barrier_open WHERE saga_id = $1 AND step = $2";
const DUE: &str = include_str!("sql/due.sql");
const TAKE: &str = include_str!("sql/take.sql");

/// How long after a row was opened, or first taken up again, its task is believed to be alive. Milliseconds.
const FIRST_TAKE_MS: i64 = 5_000;

/// The longest time between two takes, in milliseconds.
const LONGEST_MS: i64 = 60_000;

/// Writes what it takes to go on with a doing row.
pub(crate) async fn open_do(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    kind: &str,
    request: Vec<u8>,
) -> Result<(), OpError> {
    open(tx, OPEN_DO, call, kind, request).await
}

/// Writes what it takes to go on with an undo.
pub(crate) async fn open_undo(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    kind: &str,
    request: Vec<u8>,
) -> Result<(), OpError> {
    open(tx, OPEN_UNDO, call, kind, request).await
}

async fn open(
    tx: &mut Tx<'_>,
    sql: &'static str,
    call: &CallMeta,
    kind: &str,
    request: Vec<u8>,
) -> Result<(), OpError> {
    let next_at_ms = tx.now_ms().saturating_add(FIRST_TAKE_MS);
    let query = sqlx::query(sql)
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(call.root.to_string())
        .bind(&call.name)
        .bind(&call.traceparent)
        .bind(kind)
        .bind(request)
        .bind(next_at_ms);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Forgets what it took to go on: the row is settled.
pub(crate) async fn settled(tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
    sqlx::query(SETTLED).bind(call.saga.to_string()).bind(&call.step).execute(tx.conn()).await?;
    Ok(())
}

type Held = Arc<Mutex<HashSet<(Uuid, String)>>>;

/// Which (saga, step) has a task of this process at its provider.
#[derive(Clone, Default)]
pub(crate) struct Claims(Held);

/// The right to be at the provider for one (saga, step). Ends when it is dropped, by a panic too.
pub(crate) struct Claim {
    held: Held,
    key: (Uuid, String),
}

impl Claims {
    /// The claim, unless somebody has it.
    pub(crate) fn claim(&self, call: &CallMeta) -> Option<Claim> {
        let key = (call.saga, call.step.clone());
        locked(&self.0).insert(key.clone()).then(|| Claim { held: self.0.clone(), key })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        locked(&self.held).remove(&self.key);
    }
}

/// The set is whole even if a thread died holding it: every change of it is one call.
fn locked(held: &Held) -> MutexGuard<'_, HashSet<(Uuid, String)>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A doing or closing row that is due, and the call that goes on with it.
pub(crate) struct Due {
    /// The op is the one that settles the row: do for doing, close or undo for closing.
    pub(crate) call: CallMeta,
    /// Which RPC's decoder reads `request`.
    pub(crate) kind: String,
    pub(crate) request: Vec<u8>,
    takes: i64,
    next_at_ms: i64,
}

/// At most `limit` rows that are due at `now_ms`, the longest due first; or why one cannot be read.
pub(crate) async fn due(kit: &Kit, now_ms: i64, limit: i64) -> Result<Vec<Result<Due, String>>, sqlx::Error> {
    let rows = sqlx::query(DUE).bind(now_ms).bind(limit).fetch_all(kit.reads()).await?;
    Ok(rows.iter().map(|row| read(row).map_err(|e| e.to_string())).collect())
}

fn read(row: &sqlx::any::AnyRow) -> Result<Due, sqlx::Error> {
    let text = |column| row.try_get::<String, _>(column);
    let id = |column| text(column)?.parse::<Uuid>().map_err(|e| sqlx::Error::Decode(Box::new(e)));
    let (state, aim) = (text("state")?, text("aim")?);
    let (op, kind, request) = match state_of(&state, &aim) {
        Some(RowState::Doing) => (Op::Do, "do_kind", "do_request"),
        Some(RowState::Closing(Aim::Close)) => (Op::Close, "do_kind", "do_request"),
        Some(RowState::Closing(Aim::Undo)) => (Op::Undo, "undo_kind", "undo_request"),
        _ => return Err(sqlx::Error::Decode(format!("an open row is {state} {aim}").into())),
    };
    let takes: i64 = row.try_get("takes")?;
    let call = CallMeta {
        saga: id("saga_id")?,
        root: id("saga_root")?,
        name: text("saga_name")?,
        step: text("step")?,
        op,
        attempt: u32::try_from(takes).unwrap_or(u32::MAX).saturating_add(1),
        traceparent: text("traceparent")?,
    };
    let request = row.try_get::<Option<Vec<u8>>, _>(request)?.unwrap_or_default();
    Ok(Due { call, kind: text(kind)?, request, takes, next_at_ms: row.try_get("next_at_ms")? })
}

/// Takes the row up, unless another process was faster; it is due again after a growing while.
pub(crate) async fn take(kit: &Kit, due: &Due, now_ms: i64) -> Result<bool, OpError> {
    let (saga, step) = (due.call.saga.to_string(), due.call.step.clone());
    let (seen_ms, next_ms) = (due.next_at_ms, now_ms.saturating_add(pause_ms(due.takes)));
    let taken = kit.run(vec![RowKey::of(&due.call).lock()], move |tx| {
        let (saga, step) = (saga.clone(), step.clone());
        Box::pin(async move {
            let query = sqlx::query(TAKE).bind(saga).bind(step).bind(seen_ms).bind(next_ms);
            Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
        })
    });
    taken.await
}

/// How long a row that was taken up `takes` times is left alone after this time.
fn pause_ms(takes: i64) -> i64 {
    let doublings = u32::try_from(takes.clamp(0, 16)).unwrap_or(16);
    (FIRST_TAKE_MS << doublings).min(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_minute() {
        let pauses: Vec<i64> = (0..6).map(pause_ms).collect();
        assert_eq!(pauses, [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
        assert_eq!(pause_ms(i64::MAX), LONGEST_MS);
    }

    #[test]
    fn a_claim_is_had_by_one_and_ends_with_it() {
        let claims = Claims::default();
        let call = CallMeta {
            saga: Uuid::from_u128(1),
            root: Uuid::from_u128(1),
            name: "checkout".into(),
            step: "pay".into(),
            op: Op::Do,
            attempt: 1,
            traceparent: String::new(),
        };
        let claim = claims.claim(&call);
        assert!(claim.is_some());
        assert!(claims.claim(&call).is_none());
        assert!(claims.claim(&CallMeta { step: "other".into(), ..call.clone() }).is_some());
        drop(claim);
        assert!(claims.claim(&call).is_some());
    }
}
