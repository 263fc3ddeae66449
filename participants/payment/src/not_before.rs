//! When a provider that was busy wants to be asked again, by its own word. Kept by each process for itself: one that does
//! not know it asks too early, is told again, and has done no harm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use participant_kit::CallMeta;
use uuid::Uuid;

/// Unix milliseconds by (saga, step). Clones are the same one.
type Times = HashMap<(Uuid, String), i64>;

/// Before when which step asks nothing again.
#[derive(Clone, Default)]
pub(crate) struct NotBefore(Arc<Mutex<Times>>);

impl NotBefore {
    /// The provider wants `after` to pass before this step asks again. Times that have passed are forgotten.
    pub(crate) fn set(&self, call: &CallMeta, now_ms: i64, after: Duration) {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let mut times = self.times();
        times.retain(|_, at_ms| now_ms < *at_ms);
        times.insert((call.saga, call.step.clone()), now_ms.saturating_add(after_ms));
    }

    /// Whether the time of this step has not come yet.
    pub(crate) fn is_early(&self, call: &CallMeta, now_ms: i64) -> bool {
        self.times().get(&(call.saga, call.step.clone())).is_some_and(|at_ms| now_ms < *at_ms)
    }

    /// The map is whole even if a thread died holding it: every change of it is one call.
    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
