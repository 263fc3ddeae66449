//! The last calls to a participant, and whether too many of them met its own faults.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use crate::options::BreakerOptions;

struct Call {
    at: Duration,
    /// Whose call met a fault.
    fault_of: Option<Uuid>,
}

/// A sliding window of calls, bounded in number and in age.
pub(crate) struct Window {
    options: BreakerOptions,
    calls: VecDeque<Call>,
    faults: usize,
}

impl Window {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        Self { options, calls: VecDeque::new(), faults: 0 }
    }

    /// A call was answered, whatever the answer says.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.push(now, None);
    }

    /// A call by this saga met a fault; true when there are too many now.
    ///
    /// `sticky`: the saga itself may be what the participant chokes on, so it counts once however often it asks.
    pub(crate) fn fault(&mut self, now: Duration, saga: Uuid, sticky: bool) -> bool {
        self.forget(now);
        if sticky && self.calls.iter().any(|call| call.fault_of == Some(saga)) {
            return false;
        }
        self.push(now, Some(saga));
        self.calls.len() >= self.options.minimum
            && self.faults * 100 >= self.calls.len() * usize::from(self.options.fault_percent)
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.faults = 0;
    }

    fn push(&mut self, now: Duration, fault_of: Option<Uuid>) {
        self.forget(now);
        if self.calls.len() >= self.options.window.max(1) {
            self.drop_oldest();
        }
        self.faults += usize::from(fault_of.is_some());
        self.calls.push_back(Call { at: now, fault_of });
    }

    fn forget(&mut self, now: Duration) {
        while self.calls.front().is_some_and(|call| now.saturating_sub(call.at) > self.options.window_age) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(call) = self.calls.pop_front() {
            self.faults -= usize::from(call.fault_of.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn window() -> Window {
        Window::new(BreakerOptions { window: 20, minimum: 8, fault_percent: 50, ..Default::default() })
    }

    fn saga(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn half_of_enough_calls_is_too_many() {
        let mut window = window();
        (0..4).for_each(|_| window.answered(NOW));
        assert!(!(0..3).any(|n| window.fault(NOW, saga(n), true)));
        assert!(window.fault(NOW, saga(3), true));
    }

    #[test]
    fn a_saga_that_the_participant_chokes_on_counts_once() {
        let mut window = window();
        assert!(!(0..100).any(|_| window.fault(NOW, saga(1), true)));
        // A connection that is never made is nobody's poison.
        assert!((0..8).any(|_| window.fault(NOW, saga(1), false)));
    }

    #[test]
    fn old_calls_count_no_more() {
        let mut window = window();
        (0..7).for_each(|n| assert!(!window.fault(NOW, saga(n), true)));
        let later = NOW + window.options.window_age + Duration::from_millis(1);
        assert!(!window.fault(later, saga(8), true));
        (0..100).for_each(|_| window.answered(later));
        assert_eq!(window.calls.len(), 20);
        assert_eq!(window.faults, 0);
    }
}
