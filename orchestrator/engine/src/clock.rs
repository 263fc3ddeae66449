//! The wall clock, as an input.

use std::time::{SystemTime, UNIX_EPOCH};

use backstitch_core::Timestamp;

/// Tells the time that goes into records and deadlines. Waiting uses tokio's monotonic timer.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
