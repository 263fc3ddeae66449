//! The oldest saga that has not ended: participants are told of it with every call, so that they forget nothing of it.
//!
//! What is told is never younger than any saga that had not ended when the store was asked, on any node. A saga that begins
//! later is younger than that, but for the moments between the drawing of its id and its first record, and for what clocks
//! differ; a participant forgets nothing that is younger than a day. So an old answer only keeps more, and that is what is
//! told while the store cannot be asked. A saga that has ended does nothing under its id any more.

use std::sync::atomic::{AtomicI64, Ordering};

use backstitch_proto::ids::born_ms;
use metrics::gauge;
use tracing::warn;

use crate::engine::Engine;
use crate::metrics as names;

/// Nobody has looked yet.
const UNKNOWN: i64 = i64::MIN;

/// When the oldest saga that has not ended was born, as this node last saw it.
pub(crate) struct Oldest(AtomicI64);

impl Default for Oldest {
    fn default() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }
}

impl Oldest {
    /// Unix milliseconds; `None` before the first look.
    pub(crate) fn born_ms(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|born| *born != UNKNOWN)
    }
}

impl Engine {
    /// Asks the store which saga is the oldest of all shards, also those of other nodes.
    pub(crate) async fn look_for_the_oldest(&self) {
        // Before it is asked: where nothing is unfinished, what begins meanwhile is younger.
        let now_ms = self.shared.clock.now().0;
        match self.shared.store.oldest().await {
            Ok(oldest) => {
                let born_ms = oldest.and_then(born_ms).map_or(now_ms, |born| born.min(now_ms));
                self.shared.oldest.0.store(born_ms, Ordering::Relaxed);
                gauge!(names::OLDEST_SECONDS).set(now_ms.saturating_sub(born_ms) as f64 / 1_000.0);
            }
            Err(error) => warn!(%error, "the oldest saga could not be looked for; trying again"),
        }
    }
}
