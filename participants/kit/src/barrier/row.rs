//! The barrier's rows in the database: finding, creating and moving them inside an operation's transaction.

use backstitch_proto::contract::{CallMeta, Refusal};
use prost::Message as _;
use sqlx::Row as _;
use std::collections::BTreeMap;

use super::table::{Aim, RowState};
use crate::lock::LockKey;
use crate::outcome::OpError;
use crate::tx::Tx;

const FIND: &str = include_str!("sql/find.sql");
const INSERT: &str = include_str!("sql/insert.sql");
const MOVE: &str = include_str!("sql/move.sql");
const OPEN_DO: &str = include_str!("sql/open_do.sql");
const OPEN_UNDO: &str = include_str!("sql/open_undo.sql");
const SETTLED: &str = "DELETE FROM barrier_open WHERE saga_id = $1 AND step = $2";

/// How long after a row was opened, or taken up again, its task is believed to be alive. Milliseconds.
pub(crate) const FIRST_TAKE_MS: i64 = 5_000;

/// A row as an operation finds it; an absent one too.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) state: RowState,
    hash: Option<Vec<u8>>,
    pub(crate) answer: Option<Vec<u8>>,
}

impl Row {
    /// Whether the row is of the request with this hash, or of none.
    pub(crate) fn is_of(&self, hash: &[u8; 32]) -> bool {
        self.hash.as_deref().is_none_or(|stored| stored == hash)
    }

    /// The stored response message.
    pub(crate) fn answer<A: prost::Message + Default>(&self) -> Result<A, OpError> {
        A::decode(self.answer.as_deref().unwrap_or_default())
            .map_err(|e| OpError::Broken(format!("the stored answer cannot be read: {e}")))
    }

    /// The stored refusal, if one was stored.
    pub(crate) fn refusal(&self) -> Result<Option<Refusal>, OpError> {
        // An undone row still holds what was once done.
        let holds_one = matches!(self.state, RowState::Refused | RowState::Closed);
        self.answer.as_deref().filter(|_| holds_one).map(decode_refusal).transpose()
    }
}

/// The lock that stands for a call's row.
pub(crate) fn lock(call: &CallMeta) -> LockKey {
    LockKey::new("barrier", &format!("{}/{}", call.saga, call.step))
}

pub(crate) async fn find(tx: &mut Tx<'_>, call: &CallMeta) -> Result<Row, OpError> {
    let found =
        sqlx::query(FIND).bind(call.saga.to_string()).bind(&call.step).fetch_optional(tx.conn()).await?;
    let Some(found) = found else {
        return Ok(Row { state: RowState::Absent, hash: None, answer: None });
    };
    let (state, aim): (String, String) = (found.try_get(0)?, found.try_get(1)?);
    let state = state_of(&state, &aim)
        .ok_or_else(|| OpError::Broken(format!("the barrier row has the unknown state {state:?} {aim:?}")))?;
    Ok(Row { state, hash: found.try_get(2)?, answer: found.try_get(3)? })
}

/// Creates the row.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    state: RowState,
    hash: Option<&[u8; 32]>,
    answer: Option<Vec<u8>>,
) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let query = sqlx::query(INSERT)
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(words(state).0)
        .bind(hash.map(|hash| hash.to_vec()))
        .bind(answer)
        .bind(now_ms);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Moves the row that was found in `from`; an answer that is `None` keeps the stored one.
pub(crate) async fn shift(
    tx: &mut Tx<'_>,
    call: &CallMeta,
    from: RowState,
    to: RowState,
    answer: Option<Vec<u8>>,
) -> Result<(), OpError> {
    let ((from, from_aim), (to, to_aim), now_ms) = (words(from), words(to), tx.now_ms());
    let query = sqlx::query(MOVE)
        .bind(call.saga.to_string())
        .bind(&call.step)
        .bind(from)
        .bind(from_aim)
        .bind(to)
        .bind(to_aim)
        .bind(answer)
        .bind(now_ms);
    match query.execute(tx.conn()).await?.rows_affected() {
        1 => Ok(()),
        // The row's lock is held, so nobody else can have moved it since it was found.
        moved => Err(OpError::Broken(format!("{moved} rows moved from {from} to {to}"))),
    }
}

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

fn words(state: RowState) -> (&'static str, &'static str) {
    match state {
        // Never written.
        RowState::Absent => ("absent", ""),
        RowState::Doing => ("doing", ""),
        RowState::Done => ("done", ""),
        RowState::Refused => ("refused", ""),
        RowState::Closing(Aim::Close) => ("closing", "close"),
        RowState::Closing(Aim::Undo) => ("closing", "undo"),
        RowState::Closed => ("closed", ""),
        RowState::Undone => ("undone", ""),
    }
}

/// The state that a row's words mean.
pub(crate) fn state_of(state: &str, aim: &str) -> Option<RowState> {
    Some(match (state, aim) {
        ("doing", "") => RowState::Doing,
        ("done", "") => RowState::Done,
        ("refused", "") => RowState::Refused,
        ("closing", "close") => RowState::Closing(Aim::Close),
        ("closing", "undo") => RowState::Closing(Aim::Undo),
        ("closed", "") => RowState::Closed,
        ("undone", "") => RowState::Undone,
        _ => return None,
    })
}

/// A refusal as it is stored.
#[derive(Clone, PartialEq, prost::Message)]
struct StoredRefusal {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    detail: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
}

pub(crate) fn encode_refusal(refusal: &Refusal) -> Vec<u8> {
    let Refusal { reason, detail, metadata } = refusal.clone();
    StoredRefusal { reason, detail, metadata }.encode_to_vec()
}

fn decode_refusal(bytes: &[u8]) -> Result<Refusal, OpError> {
    let StoredRefusal { reason, detail, metadata } = StoredRefusal::decode(bytes)
        .map_err(|e| OpError::Broken(format!("the stored refusal cannot be read: {e}")))?;
    Ok(Refusal { reason, detail, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_as_it_was_written() {
        let refusal = Refusal::new("OUT_OF_STOCK", "only 2 left").with("sku", "A").with("available", 2);
        assert_eq!(decode_refusal(&encode_refusal(&refusal)).unwrap(), refusal);
        assert!(decode_refusal(&[0xff]).is_err());
    }

    #[test]
    fn every_state_that_is_written_is_read_back() {
        for state in [
            RowState::Doing,
            RowState::Done,
            RowState::Refused,
            RowState::Closing(Aim::Close),
            RowState::Closing(Aim::Undo),
            RowState::Closed,
            RowState::Undone,
        ] {
            let (word, aim) = words(state);
            assert_eq!(state_of(word, aim), Some(state));
        }
        assert_eq!(state_of("closing", ""), None);
        assert_eq!(state_of("absent", ""), None);
    }
}
