//! Waiting for a saga to come to rest, wherever it is, on behalf of somebody who wants its document.

use std::future::Future;
use std::time::Duration;

use backstitch_core::Status;
use backstitch_engine::{Follow, SagaView};
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;

/// How soon a saga that is in nobody's memory here is looked at again for somebody who waits for it or watches it.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// And how often after a while.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A document that may be at rest.
pub(crate) trait Resting: Sized + Send {
    /// It has ended, is parked, or waits for the customer.
    fn is_at_rest(&self) -> bool;

    /// Read off the last state of a saga that has ended, if it is one of these.
    fn ended(view: &SagaView) -> Option<Self>;
}

pub(crate) fn is_rest(status: Status) -> bool {
    status.is_final() || matches!(status, Status::Parked | Status::Waiting)
}

/// Follows a saga while it is in memory here. While another node has it, or nobody, the store is looked at again and again.
pub(crate) async fn rested<S, F>(
    app: &App,
    id: Uuid,
    mut follow: Option<Follow>,
    patience: Duration,
    get: impl Fn() -> F + Send,
) -> Result<S, Problem>
where
    S: Resting,
    F: Future<Output = Result<S, Problem>> + Send,
{
    let until = Instant::now() + patience;
    let mut pauses = Pauses::default();
    loop {
        if let Some(follow) = follow.take() {
            let rested = tokio::select! {
                rested = follow.halted(until.saturating_duration_since(Instant::now())) => rested,
                () = app.stopping.cancelled() => None,
            };
            // What ended is all in its last state. What is parked since when is in its journal.
            if let Some(seen) = rested.filter(|view| view.state.end.is_some()).as_ref().and_then(S::ended) {
                return Ok(seen);
            }
        }
        let seen = get().await?;
        if seen.is_at_rest() || Instant::now() >= until || app.stopping.is_cancelled() {
            return Ok(seen);
        }
        tokio::select! {
            () = tokio::time::sleep_until(until.min(Instant::now() + pauses.next())) => {}
            () = app.stopping.cancelled() => {}
        }
        follow = app.engine.follow(id);
    }
}

/// Between two looks at a saga that is in nobody's memory here: soon at first, then less often.
pub(crate) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_LOOK)
    }
}

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LOOK_AGAIN);
        pause
    }
}
