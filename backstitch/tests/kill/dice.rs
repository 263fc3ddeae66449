//! Numbers that look random and are the same for the same seed.

use std::time::{Duration, SystemTime};

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// For one thing among many that the same seed decides about.
    pub(crate) fn of(seed: u64, what: &str) -> Self {
        let mixed =
            what.bytes().fold(seed, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        Self(mixed)
    }

    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    pub(crate) fn moment(&mut self, within_ms: u64) -> Duration {
        Duration::from_millis(self.roll(within_ms))
    }
}

/// `BACKSTITCH_SEED`, or one of this moment.
pub(crate) fn seed() -> u64 {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    number("BACKSTITCH_SEED").unwrap_or(u64::from(clock.subsec_nanos()))
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}
