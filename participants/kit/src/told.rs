//! What callers tell of the oldest saga that has not ended.

use std::sync::atomic::{AtomicI64, Ordering};

use backstitch_proto::contract::told_oldest_unfinished;
use tonic::metadata::MetadataMap;

/// Nobody has told anything.
const NOTHING: i64 = i64::MAX;

/// The least that was told since it was last taken. Not the latest, nor the greatest: two orchestrators that differ are
/// both heard, and one whose store was restored from a copy is believed from then on.
pub(crate) struct Told(AtomicI64);

impl Default for Told {
    fn default() -> Self {
        Self(AtomicI64::new(NOTHING))
    }
}

impl Told {
    /// Hears what a call tells, if it does. What is still to come is not believed: somebody's clock is wrong.
    pub(crate) fn hear(&self, meta: &MetadataMap, now_ms: i64) {
        if let Some(born_ms) = told_oldest_unfinished(meta).filter(|born| *born <= now_ms) {
            self.0.fetch_min(born_ms, Ordering::Relaxed);
        }
    }

    /// Whether anything was told.
    pub(crate) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NOTHING
    }

    /// The least that was told, once.
    pub(crate) fn take(&self) -> Option<i64> {
        Some(self.0.swap(NOTHING, Ordering::Relaxed)).filter(|born| *born != NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use backstitch_proto::contract::tell_oldest_unfinished;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn hear(told: &Told, born_ms: i64) {
        let mut meta = MetadataMap::new();
        tell_oldest_unfinished(&mut meta, born_ms);
        told.hear(&meta, NOW_MS);
    }

    #[test]
    fn the_least_that_was_told_is_taken_once() {
        let told = Told::default();
        told.hear(&MetadataMap::new(), NOW_MS);
        assert_eq!((told.is_any(), told.take()), (false, None));
        for born_ms in [5, 3, 4] {
            hear(&told, born_ms);
        }
        assert_eq!((told.is_any(), told.take()), (true, Some(3)));
        assert_eq!((told.is_any(), told.take()), (false, None));
        hear(&told, 9);
        assert_eq!(told.take(), Some(9), "what was told before does not count for ever");
    }

    #[test]
    fn what_is_still_to_come_is_not_believed() {
        let told = Told::default();
        hear(&told, NOW_MS + 1);
        assert!(!told.is_any());
        hear(&told, NOW_MS);
        assert_eq!(told.take(), Some(NOW_MS));
    }
}
