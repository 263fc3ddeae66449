//! How long a participant remembers what it answered.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::barrier::forget::FORGOTTEN_AFTER_MS;
use crate::kit::Kit;
use crate::server::{Background, Progress};

/// Rows after which one tick deletes no more.
const MOST: u32 = 1000;

/// How often it is looked for rows that have become too old, in milliseconds. Raising the mark is a commit.
const EVERY_MS: i64 = 60 * 60 * 1000;

/// Forgets the barrier rows of sagas born longer ago than `keep` and of which none is open; calls of such sagas are Expired
/// from then on.
pub struct Retention {
    kit: Kit,
    keep_ms: i64,
    next_ms: AtomicI64,
}

impl Retention {
    /// 45 days: longer than an orchestrator keeps a finished saga (30) and, after it, its key (7).
    pub const DEFAULT: Duration = Duration::from_secs(45 * 24 * 60 * 60);

    /// Keeps the rows of `kit` so long, at least a day.
    pub fn new(kit: Kit, keep: Duration) -> Self {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX).max(FORGOTTEN_AFTER_MS);
        Self { kit, keep_ms, next_ms: AtomicI64::new(i64::MIN) }
    }

    /// The same for another time.
    pub(crate) fn lasting(self, keep: Duration) -> Self {
        Self::new(self.kit, keep)
    }
}

#[async_trait]
impl Background for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        if now_ms < self.next_ms.load(Ordering::Relaxed) {
            return Progress::idle();
        }
        let deleted = match self.kit.purge(now_ms.saturating_sub(self.keep_ms), MOST).await {
            Ok(deleted) => deleted,
            Err(error) => return Progress::failed(format!("old barrier rows stay: {error}")),
        };
        let more = deleted >= u64::from(MOST);
        if !more {
            self.next_ms.store(now_ms.saturating_add(EVERY_MS), Ordering::Relaxed);
        }
        Progress::done(usize::try_from(deleted).unwrap_or(usize::MAX), more)
    }
}
