//! Settings of an engine.

use std::time::Duration;

use crate::shards::Sharing;

/// Limits and intervals. The defaults are what `backstitch up` uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of this node; no two that share a store have the same.
    pub node: String,
    /// How the store is shared with other nodes; None: it belongs to this one.
    pub sharing: Option<Sharing>,
    /// Sagas live in memory at once; one more is refused as busy.
    pub max_live: usize,
    /// Bytes of one saga's input; one more is refused.
    pub max_input_bytes: usize,
    /// What a busy client is told to wait.
    pub busy_retry_after: Duration,
    /// Between two passes of recovery.
    pub recovery_interval: Duration,
    /// Sagas that recovery lists at a time.
    pub recovery_page: usize,
    /// Sagas that recovery reads at once.
    pub recovery_readers: usize,
    /// How long finished sagas are kept.
    pub retention: Duration,
    /// How long a drain waits for calls in flight.
    pub drain_patience: Duration,
    /// A node that has not announced itself for so long holds no switching up. Far longer than two nodes' clocks differ.
    pub liveness: Duration,
    /// Appends in one commit at most.
    pub max_batch: usize,
    /// What keeps a participant's trouble to itself.
    pub flow: FlowOptions,
}

/// Limits of the calls to one participant; each has its own.
#[derive(Clone, Copy, Debug)]
pub struct FlowOptions {
    /// Calls in flight at once; more wait in line.
    pub max_calls: usize,
    /// When to stop calling.
    pub breaker: BreakerOptions,
    /// How often to call again.
    pub retry: RetryOptions,
    /// About how long between two tries of what parked because a participant did not answer, while that participant
    /// answers others; a quarter more or less.
    pub retry_parked_every: Duration,
    /// Parked sagas that are set going again in a second.
    pub resumed_per_second: u32,
}

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerOptions {
    /// How many of the last calls are looked at.
    pub window: usize,
    /// Older calls than this are not.
    pub window_age: Duration,
    /// Fewer calls than this open nothing.
    pub minimum: usize,
    /// It opens when so many per cent of them met a fault of the participant's own.
    pub fault_percent: u8,
    /// Before the first probe.
    pub first_pause: Duration,
    /// Pauses double up to this.
    pub longest_pause: Duration,
}

/// How many retries there may be.
#[derive(Clone, Copy, Debug)]
pub struct RetryOptions {
    /// For every hundred first attempts.
    pub percent: u8,
    /// In every second besides; at least 1.
    pub floor_per_second: u32,
    /// At once at most, after a quiet time.
    pub burst: u32,
    /// Per cent of the burst that only undo, close and what follows the pivot may use.
    pub reserve_percent: u8,
}

impl Default for FlowOptions {
    fn default() -> Self {
        Self {
            max_calls: 256,
            breaker: BreakerOptions::default(),
            retry: RetryOptions::default(),
            retry_parked_every: Duration::from_secs(300),
            resumed_per_second: 200,
        }
    }
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            window: 32,
            window_age: Duration::from_secs(60),
            minimum: 8,
            fault_percent: 50,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(15),
        }
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { percent: 20, floor_per_second: 20, burst: 100, reserve_percent: 25 }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node: "local".into(),
            sharing: None,
            max_live: 20_000,
            max_input_bytes: 1 << 20,
            busy_retry_after: Duration::from_secs(1),
            recovery_interval: Duration::from_secs(5),
            recovery_page: 1000,
            recovery_readers: 16,
            retention: Duration::from_secs(30 * 24 * 3600),
            drain_patience: Duration::from_secs(10),
            liveness: Duration::from_secs(60),
            max_batch: 1024,
            flow: FlowOptions::default(),
        }
    }
}
