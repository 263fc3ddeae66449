//! A process that stands still somewhere, as one that is stopped or starved: all it sees of that is its clock.

use std::sync::{Arc, Mutex};

use participant_kit::{Clock, ManualClock};

/// A clock that jumps once it has been read a number of times.
#[derive(Clone)]
pub struct StandingStill {
    clock: ManualClock,
    jump: Arc<Mutex<Option<(u32, i64)>>>,
}

impl StandingStill {
    pub fn of(clock: &ManualClock) -> Self {
        Self { clock: clock.clone(), jump: Arc::default() }
    }

    pub fn after(&self, readings: u32, ms: i64) {
        *self.jump.lock().unwrap() = Some((readings, ms));
    }
}

impl Clock for StandingStill {
    fn now_ms(&self) -> i64 {
        let mut jump = self.jump.lock().unwrap();
        *jump = match jump.take() {
            Some((0, ms)) => {
                self.clock.advance(ms);
                None
            }
            Some((readings, ms)) => Some((readings - 1, ms)),
            None => None,
        };
        self.clock.now_ms()
    }
}
