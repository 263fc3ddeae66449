//! What sagas ask of a cart: one file per action, each a parsed request that knows how to have its effect.

mod clear;
mod free;
mod hold;
mod let_go;

pub(crate) use clear::Clear;
pub(crate) use free::Free;
pub(crate) use hold::Hold;
pub(crate) use let_go::LetGo;

use participant_kit::LockKey;

use crate::domain::CartId;

/// What every operation on a cart contends for.
pub(crate) fn lock(id: &CartId) -> LockKey {
    LockKey::new("cart", id.as_str())
}

/// What whoever removes carts holds: the highest version that is gone is one row for all of them.
pub(crate) fn versions_lock() -> LockKey {
    LockKey::new("cart_versions", "")
}
