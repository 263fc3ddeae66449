//! Moves rows from one source to one sink, a bounded batch per tick.
//!
//! A row is marked only after its acknowledgement, so a death between the two costs a duplicate, never a loss.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstitch_failpoint::hit_of;

use crate::{Lag, Sink, Source, SourceError, Tenure, names, waves};

/// How much a relay takes on at once and how long it keeps what it published.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows per tick.
    pub batch: usize,
    /// How long rows are kept after their publication was recorded. Not below the embedded broker's window.
    pub retention: Duration,
    /// Rows deleted per [`Relay::purge`].
    pub purge_batch: usize,
    /// How long the source may take to answer one call; longer is trouble. Not above the term of a lease.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch: 512,
            retention: Duration::from_secs(7 * 24 * 3600),
            purge_batch: 1000,
            patience: Duration::from_secs(10),
        }
    }
}

/// What one tick did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows acknowledged and marked.
    pub published: usize,
    /// Rows of the batch that stay for a later tick.
    pub pending: usize,
    /// Rows set aside as poison.
    pub parked: usize,
    /// The batch was full, so there is probably more.
    pub full: bool,
    /// Why the first row that stays was not acknowledged; `None` when the sink is well.
    pub trouble: Option<String>,
}

impl Progress {
    /// Whether another tick right away is worth it.
    #[must_use]
    pub fn more(&self) -> bool {
        self.full && self.trouble.is_none() && self.published + self.parked > 0
    }
}

/// A tick that could not be completed; the next one repeats what is needed.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The source did not answer; rows may be published and not marked, they will be published again.
    #[error("{name}: {error}")]
    Source {
        /// [`Source::name`]
        name: String,
        /// What it said.
        error: SourceError,
    },
    /// The sink did not take the window that had to be published again.
    #[error("{name}: not published again: {why}")]
    Sink {
        /// [`Source::name`]
        name: String,
        /// What the sink said.
        why: String,
    },
}

/// One source, one sink.
pub struct Relay {
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    options: Options,
    tenure: Tenure,
    trouble: Mutex<Option<String>>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("source", &self.source.name()).field("options", &self.options).finish()
    }
}

impl Relay {
    /// A relay that does nothing until it is ticked. Its source is nobody else's; otherwise see [`under`](Self::under).
    pub fn new(source: Arc<dyn Source>, sink: Arc<dyn Sink>, options: Options) -> Self {
        Self { source, sink, options, tenure: Tenure::forever(), trouble: Mutex::default() }
    }

    /// Publishes only while `tenure` is held.
    #[must_use]
    pub fn under(mut self, tenure: Tenure) -> Self {
        self.tenure = tenure;
        self
    }

    /// The right that it publishes by.
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Why [`run`](crate::run)'s last tick did not do all it could, or why the right to publish cannot be had; none when
    /// all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let own = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        own.or_else(|| self.tenure.trouble())
    }

    pub(crate) fn remember(&self, trouble: Option<&str>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.map(str::to_owned);
    }

    /// [`Source::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// Publishes at most one batch, marks what was acknowledged and parks what is poison.
    ///
    /// Order along a key holds through every failure: while a row is not acknowledged, no later row of its key
    /// is sent; other keys go on. Without its tenure it does nothing, and stops between two waves.
    ///
    /// # Errors
    /// When the source cannot be read or written. What was published and not marked is published again.
    pub async fn tick(&self, now_ms: i64) -> Result<Progress, RelayError> {
        if !self.tenure.holds() {
            return Ok(Progress::default());
        }
        let rows = self.ask(self.source.pending(self.options.batch)).await?;
        if rows.is_empty() {
            return Ok(Progress::default());
        }
        let full = rows.len() >= self.options.batch;
        hit_of("relay.before_publish", || self.name().to_owned());
        let outcome = waves::publish(self.sink.as_ref(), rows, &self.tenure).await;
        hit_of("relay.before_mark", || self.name().to_owned());
        if !outcome.acked.is_empty() {
            self.ask(self.source.published(&outcome.acked, now_ms)).await?;
            hit_of("relay.after_mark", || self.name().to_owned());
            names::published(self.name(), outcome.acked.len());
        }
        for (row, why) in &outcome.poisoned {
            tracing::error!(
                source = self.name(), row = %row.id, key = row.event.key, kind = row.event.kind, why,
                "event parked; later events of its key wait behind it"
            );
            self.ask(self.source.park(row, why, now_ms)).await?;
            names::parked(self.name());
        }
        Ok(Progress {
            published: outcome.acked.len(),
            pending: outcome.left,
            parked: outcome.poisoned.len(),
            full,
            trouble: outcome.trouble,
        })
    }

    /// Deletes at most one batch of rows whose retention has passed; answers how many.
    ///
    /// # Errors
    /// When the source cannot be written.
    pub async fn purge(&self, now_ms: i64) -> Result<u64, RelayError> {
        let retention = i64::try_from(self.options.retention.as_millis()).unwrap_or(i64::MAX);
        self.ask(self.source.purge(now_ms.saturating_sub(retention), self.options.purge_batch)).await
    }

    /// Reads the lag and sets its gauges.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn lag(&self, now_ms: i64) -> Result<Lag, RelayError> {
        let lag = self.ask(self.source.lag(now_ms)).await?;
        names::lag(self.name(), &lag);
        Ok(lag)
    }

    /// Publishes the kept rows of the last `window` again, in order, and answers how many. For a sink that
    /// forgets with its process: call it once, before the first tick, so that nothing new overtakes it.
    ///
    /// # Errors
    /// When the source cannot be read or the sink does not take a row; calling again starts from the beginning.
    pub async fn replay_window(&self, window: Duration, now_ms: i64) -> Result<u64, RelayError> {
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let since = now_ms.saturating_sub(window);
        let (mut after, mut published) = (None, 0u64);
        loop {
            let rows = self.ask(self.source.published_since(since, after, self.options.batch)).await?;
            let Some(last) = rows.last() else {
                return Ok(published);
            };
            after = Some(last.id);
            let outcome = waves::publish(self.sink.as_ref(), rows, &self.tenure).await;
            if let Some(why) = outcome.trouble {
                return Err(RelayError::Sink { name: self.name().to_owned(), why });
            }
            for (row, why) in &outcome.poisoned {
                tracing::warn!(source = self.name(), row = %row.id, why, "kept event cannot be published again");
            }
            published = published.saturating_add(u64::try_from(outcome.acked.len()).unwrap_or(u64::MAX));
        }
    }

    /// What the source answers, within its time: one whose connection has died without a word would never.
    async fn ask<T>(&self, call: impl Future<Output = Result<T, SourceError>>) -> Result<T, RelayError> {
        let patience = self.options.patience;
        let answer = tokio::time::timeout(patience, call).await.unwrap_or_else(|_| {
            Err(SourceError::Unavailable(format!(
                "no answer within {patience:?}; see whether its database is up"
            )))
        });
        answer.map_err(|error| RelayError::Source { name: self.name().to_owned(), error })
    }
}
