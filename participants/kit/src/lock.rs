//! What an operation needs for itself while it runs.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Names one thing that operations contend for: a SKU, a cart, a barrier row. Locked up front, in the order of keys,
/// so that two operations never wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockKey(String);

impl LockKey {
    /// The key of the thing called `id` among its `kind`, e.g. `("sku", "85123A")`. A kind contains no `/`.
    pub fn new(kind: &str, id: &str) -> Self {
        Self(format!("{kind}/{id}"))
    }

    /// What numbers the events of an event key: held by whoever publishes one, so that two processes that publish
    /// several in one transaction each take the keys' counters in the same order.
    pub fn events(key: &str) -> Self {
        Self::new("events", key)
    }

    /// A number for databases whose advisory locks are numbers. Two keys that share one only wait needlessly.
    pub(crate) fn number(&self) -> i64 {
        let hash = Sha256::digest(self.0.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        i64::from_be_bytes(first)
    }
}

impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
