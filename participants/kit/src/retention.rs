//! How long a participant remembers what it answered.
//!
//! Where the mark of [`forget`] is raised to is decided here. It is the lesser of two:
//!
//! - the birth of the oldest saga that has not ended, as its callers tell with their calls: one that is parked for longer
//!   than `keep` still ends by calls that are answered, also where its rows are settled or it never was;
//! - `keep` before the birth of the newest saga that has a row here, of those born by now. So a clock that is ahead forgets
//!   nothing as long as the ids of sagas do not follow it, nor does one that is behind.
//!
//! Who is told nothing forgets nothing. Both are read before the purge, and only grow meanwhile, but for a caller's store
//! that was restored from a copy, which counts from the next time on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::barrier::forget::{self, FORGOTTEN_AFTER_MS};
use crate::kit::Kit;
use crate::outcome::OpError;
use crate::server::{Background, Progress};

/// Rows after which one tick deletes no more.
const MOST: u32 = 1000;

/// How often it is looked for rows that have become too old, in milliseconds. Raising the mark is a commit.
const EVERY_MS: i64 = 60 * 60 * 1000;

/// Forgets the barrier rows of sagas born longer ago than `keep` and before any that has not ended, and of which none is
/// open; calls of such sagas are Expired from then on.
pub struct Retention {
    kit: Kit,
    keep_ms: i64,
    next_ms: AtomicI64,
    /// Where the mark is raised to, while there is more to delete below it.
    mark_ms: Mutex<Option<i64>>,
}

impl Retention {
    /// 45 days: longer than an orchestrator keeps a finished saga (30) and, after it, its key (7).
    pub const DEFAULT: Duration = Duration::from_secs(45 * 24 * 60 * 60);

    /// Keeps the rows of `kit` so long, at least a day.
    pub fn new(kit: Kit, keep: Duration) -> Self {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX).max(FORGOTTEN_AFTER_MS);
        Self { kit, keep_ms, next_ms: AtomicI64::new(i64::MIN), mark_ms: Mutex::default() }
    }

    /// The same for another time.
    pub(crate) fn lasting(self, keep: Duration) -> Self {
        Self::new(self.kit, keep)
    }

    /// Where the mark may be raised to at `now_ms`; `None` while that cannot be told.
    async fn mark(&self, now_ms: i64) -> Result<Option<i64>, OpError> {
        if !self.kit.told().is_any() {
            return Ok(None);
        }
        let Some(newest_ms) = forget::newest_ms(&self.kit, now_ms).await? else { return Ok(None) };
        let oldest_unfinished_ms = self.kit.told().take();
        Ok(oldest_unfinished_ms.map(|oldest_ms| oldest_ms.min(newest_ms.saturating_sub(self.keep_ms))))
    }

    fn under_way(&self) -> Option<i64> {
        *self.mark_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on_at(&self, mark_ms: Option<i64>) {
        *self.mark_ms.lock().unwrap_or_else(PoisonError::into_inner) = mark_ms;
    }
}

#[async_trait]
impl Background for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        // A clock that was ahead, and is right again, lets nothing wait until then.
        let wait_ms = self.next_ms.load(Ordering::Relaxed).saturating_sub(now_ms);
        if (1..=EVERY_MS).contains(&wait_ms) {
            return Progress::idle();
        }
        let mark = match self.under_way() {
            Some(mark_ms) => Ok(Some(mark_ms)),
            None => self.mark(now_ms).await,
        };
        let mark_ms = match mark {
            Ok(Some(mark_ms)) => mark_ms,
            Ok(None) => return Progress::idle(),
            Err(error) => return Progress::failed(format!("old barrier rows stay: {error}")),
        };
        self.goes_on_at(Some(mark_ms));
        let deleted = match self.kit.purge(mark_ms, MOST).await {
            Ok(deleted) => deleted,
            Err(error) => return Progress::failed(format!("old barrier rows stay: {error}")),
        };
        let more = deleted >= u64::from(MOST);
        if !more {
            self.goes_on_at(None);
            self.next_ms.store(now_ms.saturating_add(EVERY_MS), Ordering::Relaxed);
        }
        Progress::done(usize::try_from(deleted).unwrap_or(usize::MAX), more)
    }
}
