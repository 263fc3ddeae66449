//! Closed, open, half-open: when to stop asking, and when to ask again.

use std::time::Duration;

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Calls go through.
    Closed,
    /// One call finds out whether it is over.
    HalfOpen,
    /// No call goes through.
    Open,
}

impl Standing {
    /// Its word in metrics and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Standing::Closed => "closed",
            Standing::HalfOpen => "half_open",
            Standing::Open => "open",
        }
    }
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Go.
    Free,
    /// Go, and find out for the others.
    Probe,
    /// Not before this much time has passed.
    Wait(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { since: Duration },
    Open { until: Duration },
    Probing,
}

/// The pauses between probes, the first and the longest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// Decides by time alone; what trips it is somebody else's business.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    pauses: Pauses,
    state: State,
    /// The last pause; zero before there was one.
    pause: Duration,
}

impl Breaker {
    pub(crate) fn closed(pauses: Pauses, now: Duration) -> Self {
        Self { pauses, state: State::Closed { since: now }, pause: Duration::ZERO }
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.state {
            State::Closed { .. } => Standing::Closed,
            State::Open { .. } => Standing::Open,
            State::Probing => Standing::HalfOpen,
        }
    }

    pub(crate) fn look(&self, now: Duration) -> Look {
        match self.state {
            State::Closed { .. } => Look::Free,
            State::Open { until } if until <= now => Look::Probe,
            State::Open { until } => Look::Wait(until - now),
            // The probe is about to tell; if it fails, the next pause is longer than this.
            State::Probing => Look::Wait(self.pauses.first),
        }
    }

    /// The call that was told to probe is made.
    pub(crate) fn probe(&mut self) {
        self.state = State::Probing;
    }

    /// Opens, also again after a failed probe. Pauses double while it does not stay closed for longer than the last
    /// one; the upper half of a pause is jitter, so that many nodes do not probe together.
    pub(crate) fn trip(&mut self, now: Duration, jitter: u32) {
        self.pause = match self.state {
            State::Closed { since } if now.saturating_sub(since) > self.pause => self.pauses.first,
            _ => self.pause.saturating_mul(2).max(self.pauses.first),
        };
        self.pause = self.pause.min(self.pauses.longest);
        let half = self.pause / 2;
        let until = now + half + half.mul_f64(f64::from(jitter) / f64::from(u32::MAX));
        self.state = State::Open { until };
    }

    pub(crate) fn close(&mut self, now: Duration) {
        self.state = State::Closed { since: now };
    }

    /// The probe was not heard of: somebody else may probe at once.
    pub(crate) fn give_back(&mut self, now: Duration) {
        self.state = State::Open { until: now };
    }

    /// The last pause.
    pub(crate) fn pause(&self) -> Duration {
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(15) };

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn pauses_double_up_to_the_longest_until_it_stays_closed() {
        let mut breaker = Breaker::closed(PAUSES, secs(0));
        let mut now = secs(100);
        for pause in [1, 2, 4, 8, 15, 15] {
            breaker.trip(now, u32::MAX);
            assert_eq!(breaker.look(now), Look::Wait(secs(pause)));
            now += secs(pause);
            assert_eq!(breaker.look(now), Look::Probe);
            breaker.probe();
        }
        // Closed and open again at once: it was not over.
        breaker.close(now);
        breaker.trip(now + secs(15), u32::MAX);
        assert_eq!(breaker.pause(), secs(15));
        breaker.close(now);
        breaker.trip(now + secs(16), u32::MAX);
        assert_eq!(breaker.pause(), secs(1));
    }

    #[test]
    fn jitter_takes_away_at_most_half_of_a_pause() {
        let mut breaker = Breaker::closed(PAUSES, secs(0));
        breaker.trip(secs(1), 0);
        assert_eq!(breaker.look(secs(1)), Look::Wait(Duration::from_millis(500)));
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Ask,
        Fail(u32),
        Succeed,
        Lose,
        Pass(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            3 => Just(Act::Ask),
            2 => any::<u32>().prop_map(Act::Fail),
            1 => Just(Act::Succeed),
            1 => Just(Act::Lose),
            3 => (0..5_000_u64).prop_map(Act::Pass),
        ]
    }

    proptest! {
        #[test]
        fn nothing_but_one_probe_passes_until_it_closes(acts in prop::collection::vec(act(), 1..200)) {
            let mut breaker = Breaker::closed(PAUSES, secs(0));
            breaker.trip(secs(0), 7);
            let (mut now, mut probing, mut closed) = (secs(0), false, false);
            for act in acts {
                match act {
                    Act::Ask => match breaker.look(now) {
                        Look::Free => prop_assert!(closed),
                        Look::Probe => {
                            prop_assert!(!closed && !probing);
                            breaker.probe();
                            probing = true;
                        }
                        Look::Wait(wait) => prop_assert!(!closed && wait <= PAUSES.longest),
                    },
                    Act::Fail(jitter) if probing || closed => {
                        breaker.trip(now, jitter);
                        (probing, closed) = (false, false);
                    }
                    Act::Succeed if probing => {
                        breaker.close(now);
                        (probing, closed) = (false, true);
                    }
                    Act::Lose if probing => {
                        breaker.give_back(now);
                        probing = false;
                    }
                    Act::Fail(_) | Act::Succeed | Act::Lose => {}
                    Act::Pass(ms) => now += Duration::from_millis(ms),
                }
            }
        }
    }
}
