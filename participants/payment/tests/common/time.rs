//! Time passes, and the participant's own loops take up what is due.

use std::sync::Arc;
use std::time::Duration;

use participant_kit::Kit;

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

    /// Forgets the barrier rows of sagas that were born more than so long ago, and what goes with them.
    pub fn forget(&self, age: Duration) {
        let now_ms = participant_kit::Clock::now_ms(&self.clock);
        let before_ms = now_ms - i64::try_from(age.as_millis()).unwrap();
        let (url, clock) = (self.payments.clone(), Arc::new(self.clock.clone()));
        self.block_on(async move {
            let kit = Kit::open(&participant_payment::SCHEMA, &url, clock).await.unwrap();
            kit.purge(before_ms, 1_000).await.unwrap();
        });
        // It looks once an hour.
        self.tick_only("forgetting attempts", Duration::from_secs(60 * 60));
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
