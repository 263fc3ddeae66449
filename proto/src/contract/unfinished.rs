//! When the oldest saga that has not ended was born: what a participant must not have forgotten yet.
//!
//! Optional, and about no call in particular: it travels beside [`CallMeta`](super::CallMeta), because whoever has
//! something to forget is called.

use tonic::metadata::{MetadataMap, MetadataValue};

use super::keys;

/// Tells a participant that no saga born before `born_ms` (Unix milliseconds) will call again.
pub fn tell_oldest_unfinished(to: &mut MetadataMap, born_ms: i64) {
    if let Ok(value) = MetadataValue::try_from(born_ms.max(0).to_string()) {
        to.insert(keys::OLDEST_UNFINISHED_MS, value);
    }
}

/// What a call tells of it. Nothing, where it cannot be read: no call is worse for that, and nothing is forgotten by it.
pub fn told_oldest_unfinished(from: &MetadataMap) -> Option<i64> {
    let text = from.get(keys::OLDEST_UNFINISHED_MS)?.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &'static str) -> Option<i64> {
        let mut map = MetadataMap::new();
        map.insert(keys::OLDEST_UNFINISHED_MS, MetadataValue::from_static(value));
        told_oldest_unfinished(&map)
    }

    #[test]
    fn what_is_told_is_heard() {
        for born_ms in [0, 1, 1_700_000_000_123, i64::MAX] {
            let mut map = MetadataMap::new();
            tell_oldest_unfinished(&mut map, born_ms);
            assert_eq!(told_oldest_unfinished(&map), Some(born_ms));
        }
    }

    #[test]
    fn what_is_no_time_tells_nothing() {
        assert_eq!(told_oldest_unfinished(&MetadataMap::new()), None);
        assert_eq!(told("17"), Some(17));
        for value in ["", " 17", "+17", "-17", "17.5", "seventeen", "9223372036854775808"] {
            assert_eq!(told(value), None, "{value:?}");
        }
    }
}
