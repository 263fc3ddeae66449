//! How many retries a participant gets: a token bucket that its own first attempts fill.

use std::time::Duration;

use crate::options::RetryOptions;

/// Never above its burst. A retry takes a token; a first attempt adds a share of one, and time adds the floor.
///
/// The last part of the burst is kept for urgent calls, so that what has to be finished is not starved by what has
/// just begun.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    options: RetryOptions,
    tokens: f64,
    at: Duration,
}

/// How soon to look again where only first attempts fill the bucket.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Bucket {
    pub(crate) fn full(options: RetryOptions, now: Duration) -> Self {
        Self { options, tokens: f64::from(options.burst), at: now }
    }

    /// A first attempt is made.
    pub(crate) fn first(&mut self) {
        self.add(f64::from(self.options.percent) / 100.0);
    }

    /// How long until there is a token for a retry; none if there is one.
    pub(crate) fn lacks(&mut self, now: Duration, urgent: bool) -> Option<Duration> {
        self.refill(now);
        let missing = self.needed(urgent) - self.tokens;
        if missing <= 0.0 {
            return None;
        }
        let wait = missing / f64::from(self.options.floor_per_second);
        // Whoever comes back then must not come an instant too early.
        Some(Duration::try_from_secs_f64(wait).unwrap_or(LOOK_AGAIN) + Duration::from_millis(1))
    }

    /// A retry is made, after [`Bucket::lacks`] had nothing to say against it.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// The retry was answered, so that it was no part of a storm.
    pub(crate) fn give_back(&mut self) {
        self.add(1.0);
    }

    fn needed(&self, urgent: bool) -> f64 {
        let reserve = f64::from(self.options.burst) * f64::from(self.options.reserve_percent) / 100.0;
        if urgent { 1.0 } else { (1.0 + reserve).min(f64::from(self.options.burst)).max(1.0) }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.add(passed.as_secs_f64() * f64::from(self.options.floor_per_second));
    }

    fn add(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(f64::from(self.options.burst));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPTIONS: RetryOptions =
        RetryOptions { percent: 20, floor_per_second: 10, burst: 8, reserve_percent: 25 };
    const START: Duration = Duration::ZERO;

    fn drawn(bucket: &mut Bucket, now: Duration, urgent: bool) -> u32 {
        let mut drawn = 0;
        while draw(bucket, now, urgent) {
            drawn += 1;
        }
        drawn
    }

    fn draw(bucket: &mut Bucket, now: Duration, urgent: bool) -> bool {
        let there = bucket.lacks(now, urgent).is_none();
        if there {
            bucket.take();
        }
        there
    }

    #[test]
    fn the_last_part_is_kept_for_urgent_calls() {
        let mut bucket = Bucket::full(OPTIONS, START);
        assert_eq!(drawn(&mut bucket, START, false), 6);
        assert_eq!(drawn(&mut bucket, START, true), 2);
    }

    #[test]
    fn five_first_attempts_pay_for_a_retry() {
        let mut bucket = Bucket::full(OPTIONS, START);
        drawn(&mut bucket, START, true);
        (0..5).for_each(|_| bucket.first());
        // A share is no exact binary fraction; a millisecond of the floor makes up for it.
        assert_eq!(drawn(&mut bucket, Duration::from_millis(1), true), 1);
    }

    #[test]
    fn it_says_when_there_is_one_again() {
        let mut bucket = Bucket::full(OPTIONS, START);
        drawn(&mut bucket, START, true);
        let wait = bucket.lacks(START, true).unwrap();
        assert_eq!(wait, Duration::from_millis(101));
        assert_eq!(bucket.lacks(wait, true), None);
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        First,
        Draw(bool),
        GiveBack,
        Pass(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            Just(Act::First),
            any::<bool>().prop_map(Act::Draw),
            Just(Act::GiveBack),
            (0..2_000_u64).prop_map(Act::Pass),
        ]
    }

    proptest! {
        #[test]
        fn it_never_gives_more_than_its_rate(acts in prop::collection::vec(act(), 1..300)) {
            let (mut bucket, mut now) = (Bucket::full(OPTIONS, START), START);
            let (mut firsts, mut out) = (0_u32, 0_u32);
            for act in acts {
                match act {
                    Act::First => { bucket.first(); firsts += 1; }
                    Act::Draw(urgent) => out += u32::from(draw(&mut bucket, now, urgent)),
                    Act::GiveBack if out > 0 => { bucket.give_back(); out -= 1; }
                    Act::GiveBack => {}
                    Act::Pass(ms) => now += Duration::from_millis(ms),
                }
                let earned = 8.0 + f64::from(firsts) * 0.2 + now.as_secs_f64() * 10.0;
                prop_assert!(f64::from(out) <= earned + 1e-3, "{out} out, {earned} earned");
                prop_assert!(bucket.tokens <= 8.0);
            }
        }
    }
}
