//! What sagas ask of inventory: one file per action, each a parsed request that knows how to have its effect.

mod commit;
mod release;
mod reserve;
mod restock;

pub(crate) use commit::Commit;
pub(crate) use release::Release;
pub(crate) use reserve::Reserve;
pub(crate) use restock::Restock;

use participant_kit::{LockKey, text};
use uuid::Uuid;

use crate::domain::{Invalid, Line};

/// What whoever moves the stock of these lines holds.
fn sku_locks(lines: &[Line]) -> Vec<LockKey> {
    lines.iter().map(|line| LockKey::new("sku", line.sku.as_str())).collect()
}

fn reservation_id(text: &str) -> Result<Uuid, Invalid> {
    text::uuid(text).map_err(|why| Invalid::new("reservation_id", why))
}
