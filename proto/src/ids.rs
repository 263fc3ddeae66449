//! Ids and keys that are derived, never drawn, so that every owner of a saga mints the same ones.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The id of the thing that `name` stands for in a saga (its reservation, its order, ...): UUIDv8 over
/// SHA-256(saga id, name). Deterministic, so a repeated call is the same call.
pub fn derived(saga: Uuid, name: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(saga.as_bytes());
    hash.update(name.as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_everywhere_and_different_per_name() {
        let saga = Uuid::from_u128(7);
        assert_eq!(derived(saga, "order"), derived(saga, "order"));
        assert_ne!(derived(saga, "order"), derived(saga, "payment"));
        assert_ne!(derived(saga, "order"), derived(Uuid::from_u128(8), "order"));
        assert_eq!(derived(saga, "order").get_version_num(), 8);
    }
}
