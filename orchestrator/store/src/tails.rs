//! What the writer remembers of the sagas that it writes to, so that an append needs no read before it.
//!
//! It is right because nobody else writes to these sagas: a file's directory is locked, a shard's epoch is checked by
//! the commit itself, and every write of this process goes through the one writer. After anything unclear it is emptied.

use std::collections::HashMap;

use uuid::Uuid;

use crate::plan::Tail;

/// Two generations of so many sagas each: what was not used while one filled up is forgotten.
const GENERATION: usize = 1 << 16;

#[derive(Debug, Default)]
pub(crate) struct Tails {
    young: HashMap<Uuid, Tail>,
    old: HashMap<Uuid, Tail>,
}

impl Tails {
    pub(crate) fn get(&self, saga: Uuid) -> Option<Tail> {
        self.young.get(&saga).or_else(|| self.old.get(&saga)).copied()
    }

    /// Remembers where a saga stands. A finished one is forgotten: nothing is appended to it any more.
    pub(crate) fn put(&mut self, saga: Uuid, tail: Tail) {
        if tail.status.is_final() {
            self.young.remove(&saga);
            self.old.remove(&saga);
            return;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(saga, tail);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
