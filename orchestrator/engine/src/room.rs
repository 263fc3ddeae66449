//! Whether the store had room when it was last asked for some.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backstitch_core::Timestamp;

/// How long a refusal for lack of room is remembered: without new work nobody finds out that there is room again, and
/// new work is sent only to who says that there is.
const MEMORY: Duration = Duration::from_secs(10);
/// Before all time.
const NEVER: i64 = i64::MIN;

/// When new work was last refused for lack of room.
#[derive(Debug)]
pub(crate) struct Room(AtomicI64);

impl Default for Room {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
}

impl Room {
    pub(crate) fn lacked(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn found(&self) {
        self.0.store(NEVER, Ordering::Relaxed);
    }

    /// Whether there is any, as far as is known at `now`.
    pub(crate) fn is_left(&self, now: Timestamp) -> bool {
        let memory = i64::try_from(MEMORY.as_millis()).unwrap_or(i64::MAX);
        self.0.load(Ordering::Relaxed).saturating_add(memory) <= now.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_is_remembered_until_room_is_found_and_not_for_ever() {
        let room = Room::default();
        assert!(room.is_left(Timestamp(0)));
        room.lacked(Timestamp(5));
        assert!(!room.is_left(Timestamp(6)) && !room.is_left(Timestamp(10_004)));
        assert!(room.is_left(Timestamp(10_005)));
        room.lacked(Timestamp(20_000));
        room.found();
        assert!(room.is_left(Timestamp(20_001)));
    }
}
