//! How patient sagas are: what an operator may tune without changing what a definition means.

use std::time::Duration;

use backstitch_core::RetryPolicy;

/// Patience. No part of a definition's fingerprint: sagas in flight follow a change from their next attempt on, but for
/// the deadline, which each has had since its start.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// A saga whose pivot has not begun by then turns back.
    pub deadline: Duration,
    /// How long a customer has to finish what their bank asks of them.
    pub customer_wait: Duration,
    /// When an undo is tried again, and when it parks.
    pub undo: RetryPolicy,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(15 * 60),
            customer_wait: Duration::from_secs(10 * 60),
            undo: RetryPolicy::UNDO,
        }
    }
}
