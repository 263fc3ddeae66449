//! The barrier: one row per (saga, step) that decides whether an effect happens, is answered again, or comes too late.
//!
//! [`table`] is the whole decision, pure. `row` and `rows` are the database's side of it, `local` and `outside` carry
//! decisions out, `open` is what survives a crash between an outside call and its record.

pub(crate) mod local;
pub(crate) mod open;
pub(crate) mod outside;
pub(crate) mod row;
pub(crate) mod rows;
pub mod table;

use backstitch_proto::contract::{CallMeta, Refusal};
use sqlx::Row as _;
use uuid::Uuid;

use crate::outcome::{Fault, OpError};
use crate::tx::Tx;

/// The refusal of a close that found no effect and made sure that there will be none.
fn never_happens() -> Refusal {
    Refusal::new("CLOSED", "the step was closed before it happened")
}

/// How old a saga must at least be for its rows to be gone, in milliseconds.
pub(crate) const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) const READ_MARK: &str = "SELECT before_ms FROM barrier_purged WHERE one = 1";

/// What the call of a saga hears whose rows may be gone.
pub(crate) fn expired() -> String {
    "expired: the rows of a saga this old may be gone".into()
}

/// Asked where a row is absent: whether there never was one. Another process may have raised the mark on this database
/// and deleted the row since this one last read the mark; it is read again, after the row, for sagas so old.
pub(crate) async fn never_was(tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
    let Some(born) = born_ms(call.saga) else { return Ok(()) };
    if tx.now_ms().saturating_sub(born) <= FORGOTTEN_AFTER_MS {
        return Ok(());
    }
    let mark = sqlx::query(READ_MARK).fetch_optional(tx.conn()).await?;
    match mark.map(|row| row.try_get::<i64, _>(0)).transpose()? {
        Some(mark) if born < mark => Err(OpError::Broken(expired())),
        _ => Ok(()),
    }
}

/// A do that comes too late.
fn superseded(row: table::RowState) -> Fault {
    Fault::Superseded(match row {
        table::RowState::Undone => "the step was undone".into(),
        table::RowState::Closing(_) => "the step is being closed".into(),
        _ => "the step was closed".into(),
    })
}

/// Another request under the same key is somebody's bug, and a dangerous one.
fn other_request(call: &CallMeta) -> Fault {
    tracing::error!(saga = %call.saga, step = call.step, op = %call.op, "another request under the same key");
    Fault::Broken("the same key came with another request".into())
}

/// Local and outside RPCs were mixed up for one step.
fn misfit(call: &CallMeta) -> Fault {
    tracing::error!(saga = %call.saga, step = call.step, op = %call.op, "a local call to a step that is in an outside call");
    Fault::Broken("a local call to a step that is in an outside call".into())
}

/// When a saga began, Unix milliseconds, as its UUIDv7 tells; `None` for ids of another kind.
pub(crate) fn born_ms(saga: Uuid) -> Option<i64> {
    if saga.get_version_num() != 7 {
        return None;
    }
    let bytes = saga.into_bytes();
    let millis = bytes[..6].iter().fold(0i64, |ms, byte| (ms << 8) | i64::from(*byte));
    Some(millis)
}

/// The least text of a UUIDv7 born at `ms`.
pub(crate) fn first_id_at(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or(0) & 0xffff_ffff_ffff;
    format!("{:08x}-{:04x}-", ms >> 16, ms & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saga_s_id_tells_its_age_and_sorts_by_it() {
        let at = |ms: u64| {
            Uuid::new_v7(uuid::Timestamp::from_unix(
                uuid::NoContext,
                ms / 1000,
                u32::try_from(ms % 1000).unwrap() * 1_000_000,
            ))
        };
        let saga = at(1_700_000_000_123);
        assert_eq!(born_ms(saga), Some(1_700_000_000_123));
        assert_eq!(born_ms(Uuid::from_u128(1)), None);
        assert!(saga.to_string() >= first_id_at(1_700_000_000_123));
        assert!(saga.to_string() < first_id_at(1_700_000_000_124));
    }
}
