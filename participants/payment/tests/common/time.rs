//! Time passes, and the participant's own loops take up what is due.

use std::time::Duration;

use super::Shop;

impl Shop {
    /// The process stands still for `ms`, once it has read its clock so many times more.
    pub fn stands_still_after(&self, readings: u32, ms: i64) {
        self.stands.after(readings, ms);
    }

    /// Lets the participant's own loops take up what is due in `after`.
    pub fn tick(&self, after: Duration) {
        self.clock.advance(i64::try_from(after.as_millis()).unwrap());
        let now_ms = participant_kit::Clock::now_ms(&self.clock);
        for background in &self.process().background {
            self.block_on(background.tick(now_ms));
        }
    }

    /// Lets one of the participant's loops take up what is due in `after`.
    pub fn tick_only(&self, name: &str, after: Duration) {
        self.clock.advance(i64::try_from(after.as_millis()).unwrap());
        let now_ms = participant_kit::Clock::now_ms(&self.clock);
        for background in self.process().background.iter().filter(|background| background.name() == name) {
            self.block_on(background.tick(now_ms));
        }
    }

    /// Time passes until nothing is open any more, or nothing changes any more.
    pub fn settle(&self) {
        for _ in 0..8 {
            if self.rows("payment", "SELECT saga_id FROM barrier_open").is_empty() {
                return;
            }
            self.tick(Duration::from_secs(61));
        }
    }
}
