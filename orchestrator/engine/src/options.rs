//! Settings of an engine.

use std::time::Duration;

/// Limits and intervals. The defaults are what `backstitch up` uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of this node in the store's shard table.
    pub node: String,
    /// Sagas live in memory at once; one more is refused as busy.
    pub max_live: usize,
    /// Bytes of one saga's input; one more is refused.
    pub max_input_bytes: usize,
    /// What a busy client is told to wait.
    pub busy_retry_after: Duration,
    /// Between two passes of recovery.
    pub recovery_interval: Duration,
    /// Sagas that recovery reads at a time.
    pub recovery_page: usize,
    /// How long finished sagas are kept.
    pub retention: Duration,
    /// How long a drain waits for calls in flight.
    pub drain_patience: Duration,
    /// A node that has not announced itself for so long holds no switching up. Far longer than two nodes' clocks differ.
    pub liveness: Duration,
    /// Appends in one commit at most.
    pub max_batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node: "local".into(),
            max_live: 20_000,
            max_input_bytes: 1 << 20,
            busy_retry_after: Duration::from_secs(1),
            recovery_interval: Duration::from_secs(5),
            recovery_page: 500,
            retention: Duration::from_secs(30 * 24 * 3600),
            drain_patience: Duration::from_secs(10),
            liveness: Duration::from_secs(60),
            max_batch: 1024,
        }
    }
}
