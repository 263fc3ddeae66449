//! Listing with a cursor, and retention.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{SagaRow, Status};

/// Which sagas to list. The default lists none, because `limit` is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only sagas with this status.
    pub status: Option<Status>,
    /// Only sagas of this definition.
    pub definition: Option<String>,
    /// Only sagas accepted at or after this time, Unix milliseconds.
    pub started_from_ms: Option<i64>,
    /// Only sagas accepted before this time, Unix milliseconds.
    pub started_before_ms: Option<i64>,
    /// Go on after the page that answered this cursor.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: usize,
}

/// One page, newest first: by time of acceptance, then by id, both descending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The sagas.
    pub sagas: Vec<SagaRow>,
    /// Where the next page begins; none when nothing older matched.
    pub next: Option<Cursor>,
}

/// A place in a listing. Its text is opaque to callers. It names a row, not a count, so that sagas which start
/// meanwhile neither repeat nor hide anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) started_at_ms: i64,
    pub(crate) id: Uuid,
}

/// A cursor that no page has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor that a listing has answered")]
pub struct BadCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.started_at_ms, self.id.simple())
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        if text.len() != 48 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadCursor);
        }
        let (time, id) = text.split_at(16);
        let started_at_ms = i64::from_str_radix(time, 16).map_err(|_| BadCursor)?;
        let id = Uuid::try_parse(id).map_err(|_| BadCursor)?;
        Ok(Self { started_at_ms, id })
    }
}

/// What may be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// Now, Unix milliseconds.
    pub now_ms: i64,
    /// Finished sagas that have not changed for this long go, in milliseconds.
    pub sagas_after_ms: i64,
    /// Keys this old whose saga is gone (or that were blocked) go; raised to
    /// [`KEY_LIFE_MS`](crate::KEY_LIFE_MS) and to `sagas_after_ms` where it is less.
    pub keys_after_ms: i64,
    /// How many sagas, and how many keys, at most in this call.
    pub limit: usize,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sagas, with all their records.
    pub sagas: u64,
    /// Idempotency keys.
    pub keys: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_anything_else_is_refused() {
        let cursor = Cursor { started_at_ms: 1_700_000_000_123, id: Uuid::from_u128(7) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "x", "é".repeat(24).as_str(), "ffffffffffffffff00000000000000000000000000000007"] {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad}");
        }
    }
}
