//! Ids and keys that are derived, never drawn, so that every owner of a saga mints the same ones; and what a drawn one
//! tells.

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

/// When a UUIDv7 was drawn, Unix milliseconds: of a saga's id, when it began. `None` for ids of another kind, which tell
/// no age.
pub fn born_ms(id: Uuid) -> Option<i64> {
    if id.get_version_num() != 7 {
        return None;
    }
    Some(id.as_bytes()[..6].iter().fold(0, |ms, byte| (ms << 8) | i64::from(*byte)))
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

    #[test]
    fn a_version_7_tells_when_it_was_drawn_and_no_other_does() {
        let id: Uuid = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90".parse().unwrap();
        assert_eq!(born_ms(id), Some(0x0197_8a3e_5f2d));
        let last: Uuid = "ffffffff-ffff-7fff-bfff-ffffffffffff".parse().unwrap();
        assert_eq!(born_ms(last), Some(0xffff_ffff_ffff));
        for other in [Uuid::nil(), Uuid::max(), Uuid::from_u128(7), derived(id, "order")] {
            assert_eq!(born_ms(other), None, "{other}");
        }
        // One of version 1 has a time too, of another kind.
        assert_eq!(born_ms("c232ab00-9414-11ec-b3c8-9f6bdeced846".parse().unwrap()), None);
    }
}
