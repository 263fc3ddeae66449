//! A row of the barrier: its state, whose request it is of, and what was answered.

use std::collections::BTreeMap;

use backstitch_proto::contract::{CallMeta, Refusal};
use prost::Message as _;
use uuid::Uuid;

use super::forget;
use super::table::{Aim, RowState};
use crate::lock::LockKey;
use crate::outcome::OpError;

/// Which row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowKey {
    pub(crate) saga: Uuid,
    pub(crate) step: String,
}

impl RowKey {
    /// The row of a call, whatever its op.
    pub(crate) fn of(call: &CallMeta) -> Self {
        Self { saga: call.saga, step: call.step.clone() }
    }

    /// The lock that stands for the row.
    pub(crate) fn lock(&self) -> LockKey {
        LockKey::new("barrier", &format!("{}/{}", self.saga, self.step))
    }
}

/// What a call locks beside its row: its `own` keys, the events of its family of sagas, and an aged saga as a whole.
pub(super) fn locks(call: &CallMeta, mut own: Vec<LockKey>, now_ms: i64) -> Vec<LockKey> {
    own.push(LockKey::events(&call.root.to_string()));
    own.extend(forget::lock_of(call, now_ms));
    own
}

/// A row as an operation finds it, or leaves it; an absent one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) state: RowState,
    /// Of the do's identity; `None` where no do came first.
    pub(crate) hash: Option<Vec<u8>>,
    /// The response message, or the refusal.
    pub(crate) answer: Option<Vec<u8>>,
}

impl Row {
    pub(crate) const ABSENT: Self = Self { state: RowState::Absent, hash: None, answer: None };

    /// A new row.
    pub(crate) fn new(state: RowState, hash: Option<&[u8; 32]>, answer: Option<Vec<u8>>) -> Self {
        Self { state, hash: hash.map(|hash| hash.to_vec()), answer }
    }

    /// The row moved to another state, with what it answered before.
    pub(crate) fn moved(self, state: RowState) -> Self {
        Self { state, ..self }
    }

    /// The row moved to another state, with another answer.
    pub(crate) fn settled(self, state: RowState, answer: Vec<u8>) -> Self {
        Self { state, answer: Some(answer), ..self }
    }

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

/// A state in the words of the table's columns `state` and `aim`.
pub(crate) fn words(state: RowState) -> (&'static str, &'static str) {
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
