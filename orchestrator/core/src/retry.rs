//! When to call again, as a pure function of the attempt.

use std::time::Duration;

/// Growing delays up to a cap, for as long as a budget of time and of attempts lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// Delay after the first attempt.
    pub first: Duration,
    /// Largest delay.
    pub cap: Duration,
    /// Measured from the first attempt; when the next attempt would start after it, the budget is spent.
    pub budget: Duration,
    /// At most so many attempts within the budget; `u32::MAX` is no limit.
    pub attempts: u32,
}

impl RetryPolicy {
    /// For calls before the pivot: quick, and given up within the patience of a customer.
    pub const FORWARD: Self = Self {
        first: Duration::from_millis(100),
        cap: Duration::from_secs(5),
        budget: Duration::from_secs(60),
        attempts: u32::MAX,
    };
    /// For undo: patient, since giving up means that a person has to come.
    pub const UNDO: Self = Self {
        first: Duration::from_millis(200),
        cap: Duration::from_secs(60),
        budget: Duration::from_secs(3600),
        attempts: u32::MAX,
    };
    /// For steps after the pivot, which must happen.
    pub const AFTER_PIVOT: Self = Self {
        first: Duration::from_millis(200),
        cap: Duration::from_secs(60),
        budget: Duration::from_secs(24 * 3600),
        attempts: u32::MAX,
    };

    /// The delay between attempt number `attempt` (from 1) and the next: doubling from `first` to `cap`, of which
    /// the upper half is jitter, so that an outage's callers do not come back together.
    /// `jitter` is uniform over all of `u32`.
    pub fn delay(&self, attempt: u32, jitter: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let half = full / 2;
        half + half.mul_f64(f64::from(jitter) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy::FORWARD;

    #[test]
    fn doubles_up_to_the_cap() {
        assert_eq!(POLICY.delay(1, u32::MAX), Duration::from_millis(100));
        assert_eq!(POLICY.delay(2, u32::MAX), Duration::from_millis(200));
        assert_eq!(POLICY.delay(6, u32::MAX), Duration::from_millis(3200));
        assert_eq!(POLICY.delay(7, u32::MAX), Duration::from_secs(5));
        assert_eq!(POLICY.delay(u32::MAX, u32::MAX), Duration::from_secs(5));
    }

    #[test]
    fn jitter_takes_away_at_most_half() {
        assert_eq!(POLICY.delay(1, 0), Duration::from_millis(50));
        assert!(POLICY.delay(1, u32::MAX / 2) < Duration::from_millis(76));
    }
}
