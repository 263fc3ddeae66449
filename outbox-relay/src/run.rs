//! Repeats a relay's ticks: after a hint that rows were committed, at an interval when no hint comes, and with
//! growing pauses while the broker or the outbox is in trouble.
//!
//! Decides nothing about rows. A lost hint costs one interval, never an event.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Progress, Relay, RelayError, names};

/// When to tick.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Longest wait between ticks when nobody hints.
    pub interval: Duration,
    /// Wait after a tick that found rows, when nobody hints; it doubles up to the interval while none are found.
    pub rest: Duration,
    /// Shortest distance between the starts of two ticks that found little: a mark is a durable commit, and
    /// hints that come close together share one.
    pub spacing: Duration,
    /// First pause after trouble; it doubles.
    pub pause_min: Duration,
    /// Longest pause after trouble.
    pub pause_max: Duration,
    /// How often the lag gauges are set.
    pub lag_every: Duration,
    /// How often kept rows are looked through for ones whose retention has passed.
    pub purge_every: Duration,
    /// How long a tick under way may go on after the shutdown; what it then has not marked is published again.
    pub grace: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            rest: Duration::from_secs(1),
            spacing: Duration::from_millis(20),
            pause_min: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
            lag_every: Duration::from_secs(5),
            purge_every: Duration::from_secs(60),
            grace: Duration::from_secs(2),
        }
    }
}

impl Pace {
    /// For an outbox that other processes write, of whose commits nobody tells: a busy one is looked at every ten
    /// milliseconds, an idle one five times a second.
    #[must_use]
    pub fn polling() -> Self {
        let (rest, interval) = (Duration::from_millis(10), Duration::from_millis(200));
        Self { interval, rest, ..Self::default() }
    }
}

/// Ticks `relay` until `shutdown`. `wake` is notified after commits that appended rows; `now_ms` is the wall
/// clock in Unix milliseconds. Answers whether it ended between two ticks: else the last one was cut off, and rows that
/// it handed over may still be on their way.
pub async fn run(
    relay: Arc<Relay>,
    wake: Arc<Notify>,
    now_ms: impl Fn() -> i64 + Send + Sync,
    pace: Pace,
    shutdown: CancellationToken,
) -> bool {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(pace.pause_min)
        .with_max_delay(pace.pause_max)
        .with_jitter()
        .without_max_times();
    let mut pause = pauses.build();
    let mut chores = Chores { lag: Instant::now(), purge: Instant::now() };
    let mut rest = pace.rest;
    while !shutdown.is_cancelled() {
        if !relay.tenure().holds() {
            // Whoever else publishes this lane has its troubles.
            relay.remember(None);
            tokio::select! {
                () = relay.tenure().held() => {}
                () = shutdown.cancelled() => return true,
            }
        }
        let started = Instant::now();
        let step = async {
            let progress = relay.tick(now_ms()).await?;
            chores.due(&relay, now_ms(), &pace).await?;
            Ok::<Progress, RelayError>(progress)
        };
        let outcome = tokio::select! {
            outcome = step => outcome,
            () = out_of_grace(&shutdown, pace.grace) => return false,
        };
        let trouble = match outcome {
            Ok(progress) if progress.more() => {
                pause = pauses.build();
                relay.remember(None);
                continue;
            }
            Ok(Progress { trouble: None, published, .. }) => {
                rest = if published > 0 { pace.rest } else { (rest * 2).min(pace.interval) };
                None
            }
            Ok(Progress { trouble: Some(why), .. }) => Some(why),
            Err(error) => Some(error.to_string()),
        };
        relay.remember(trouble.as_deref());
        if let Some(why) = trouble {
            let wait = pause.next().unwrap_or(pace.pause_max);
            names::trouble(relay.name());
            tracing::warn!(
                source = relay.name(),
                why,
                wait_ms = wait.as_millis(),
                "publishing is in trouble"
            );
            // A hint does not cut this short: new rows do not make the broker well.
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
            }
            continue;
        }
        pause = pauses.build();
        tokio::select! {
            () = wake.notified() => {
                tokio::select! {
                    () = tokio::time::sleep_until(started + pace.spacing) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            () = tokio::time::sleep(rest) => {}
            () = shutdown.cancelled() => {}
        }
    }
    true
}

async fn out_of_grace(shutdown: &CancellationToken, grace: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// What is due besides publishing, by the monotonic clock.
struct Chores {
    lag: Instant,
    purge: Instant,
}

impl Chores {
    async fn due(&mut self, relay: &Relay, now_ms: i64, pace: &Pace) -> Result<(), RelayError> {
        let now = Instant::now();
        if now >= self.lag {
            self.lag = now + pace.lag_every;
            relay.lag(now_ms).await?;
        }
        if now >= self.purge && relay.purge(now_ms).await? == 0 {
            self.purge = now + pace.purge_every;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::*;
    use crate::testing::{Fault, MemorySink};
    use crate::{Event, Lag, Options, Row, RowId, Sink, Source, SourceError};

    /// Rows in a queue, and how often it was asked.
    #[derive(Default)]
    struct Queue {
        rows: Mutex<VecDeque<Row>>,
        asked: Mutex<usize>,
    }

    impl Queue {
        fn push(&self, number: i64) {
            let event = Event::json("t", "k", "s", number.to_string(), "s", &1, 0);
            let row = Row { id: RowId(number), event_id: Uuid::nil(), sequence: 1, event };
            self.rows.lock().unwrap().push_back(row);
        }
        fn asked(&self) -> usize {
            *self.asked.lock().unwrap()
        }
    }

    #[async_trait]
    impl Source for Queue {
        fn name(&self) -> &str {
            "queue"
        }
        async fn pending(&self, limit: usize) -> Result<Vec<Row>, SourceError> {
            *self.asked.lock().unwrap() += 1;
            Ok(self.rows.lock().unwrap().iter().take(limit).cloned().collect())
        }
        async fn published(&self, rows: &[RowId], _now_ms: i64) -> Result<(), SourceError> {
            self.rows.lock().unwrap().retain(|row| !rows.contains(&row.id));
            Ok(())
        }
        async fn park(&self, _row: &Row, _why: &str, _now_ms: i64) -> Result<(), SourceError> {
            Ok(())
        }
        async fn purge(&self, _before_ms: i64, _limit: usize) -> Result<u64, SourceError> {
            Ok(0)
        }
        async fn published_since(
            &self,
            _since_ms: i64,
            _after: Option<RowId>,
            _limit: usize,
        ) -> Result<Vec<Row>, SourceError> {
            Ok(Vec::new())
        }
        async fn lag(&self, _now_ms: i64) -> Result<Lag, SourceError> {
            Ok(Lag::default())
        }
    }

    struct Running {
        queue: Arc<Queue>,
        sink: Arc<MemorySink>,
        wake: Arc<Notify>,
        shutdown: CancellationToken,
        task: tokio::task::JoinHandle<bool>,
    }

    fn start(batch: usize, pace: Pace) -> Running {
        let (queue, sink) = (Arc::new(Queue::default()), Arc::new(MemorySink::default()));
        let (wake, shutdown) = (Arc::new(Notify::new()), CancellationToken::new());
        let relay = Arc::new(Relay::new(
            Arc::clone(&queue) as Arc<dyn Source>,
            Arc::clone(&sink) as Arc<dyn Sink>,
            Options { batch, ..Options::default() },
        ));
        let task = tokio::spawn(run(relay, Arc::clone(&wake), || 0, pace, shutdown.clone()));
        Running { queue, sink, wake, shutdown, task }
    }

    /// Lets everything that is ready run; the clock is paused and moves only here.
    async fn pass(by: Duration) {
        tokio::time::advance(by).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hint_is_served_at_once_and_a_lost_hint_after_one_interval() {
        let minute = Duration::from_secs(60);
        let running = start(10, Pace { interval: minute, rest: minute, ..Pace::default() });
        pass(Duration::ZERO).await;
        pass(Duration::from_secs(1)).await;
        running.queue.push(1);
        running.wake.notify_one();
        pass(Duration::ZERO).await;
        assert_eq!(running.sink.taken().len(), 1, "hinted");
        running.queue.push(2);
        pass(Duration::from_secs(59)).await;
        assert_eq!(running.sink.taken().len(), 1, "nobody told");
        pass(Duration::from_secs(1)).await;
        assert_eq!(running.sink.taken().len(), 2, "found by itself");
        running.shutdown.cancel();
        running.task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn full_batches_follow_each_other_without_waiting() {
        let running = start(2, Pace { interval: Duration::from_secs(60), ..Pace::default() });
        (0..9).for_each(|n| running.queue.push(n));
        pass(Duration::ZERO).await;
        assert_eq!(running.sink.taken().len(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn hints_that_come_close_together_share_a_tick() {
        let running = start(10, Pace { spacing: Duration::from_millis(20), ..Pace::default() });
        pass(Duration::ZERO).await;
        let before = running.queue.asked();
        for _ in 0..19 {
            running.wake.notify_one();
            pass(Duration::from_millis(1)).await;
        }
        assert_eq!(running.queue.asked(), before, "nineteen hints within the spacing");
        pass(Duration::from_millis(1)).await;
        assert_eq!(running.queue.asked(), before + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_makes_the_pauses_grow_whatever_the_hints_say_and_success_resets_them() {
        let pace =
            Pace { pause_min: Duration::from_secs(1), pause_max: Duration::from_secs(64), ..Pace::default() };
        let running = start(10, pace);
        running.sink.script(|_| Fault::Unavailable);
        running.queue.push(1);
        let mut asked = Vec::new();
        for _ in 0..120 {
            running.wake.notify_one();
            pass(Duration::from_secs(1)).await;
            asked.push(running.queue.asked());
        }
        // With jitter a pause is between one and two times 1, 2, 4, 8 … seconds.
        assert!((4..=9).contains(&asked[119]), "{asked:?}");
        running.sink.script(|_| Fault::None);
        pass(Duration::from_secs(128)).await;
        assert_eq!(running.sink.taken().len(), 1);
        running.sink.script(|_| Fault::Unavailable);
        let before = running.queue.asked();
        running.queue.push(2);
        running.wake.notify_one();
        pass(Duration::from_millis(20)).await;
        pass(Duration::from_secs(2)).await;
        assert!(running.queue.asked() >= before + 2, "the first pause is short again");
    }

    /// Its connection has died without a word: no call is ever answered.
    struct Silent;

    #[async_trait]
    impl Source for Silent {
        fn name(&self) -> &str {
            "silent"
        }
        async fn pending(&self, _limit: usize) -> Result<Vec<Row>, SourceError> {
            std::future::pending().await
        }
        async fn published(&self, _rows: &[RowId], _now_ms: i64) -> Result<(), SourceError> {
            std::future::pending().await
        }
        async fn park(&self, _row: &Row, _why: &str, _now_ms: i64) -> Result<(), SourceError> {
            std::future::pending().await
        }
        async fn purge(&self, _before_ms: i64, _limit: usize) -> Result<u64, SourceError> {
            std::future::pending().await
        }
        async fn published_since(
            &self,
            _since_ms: i64,
            _after: Option<RowId>,
            _limit: usize,
        ) -> Result<Vec<Row>, SourceError> {
            std::future::pending().await
        }
        async fn lag(&self, _now_ms: i64) -> Result<Lag, SourceError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_never_answers_is_trouble_within_the_limit() {
        let options = Options { patience: Duration::from_secs(3), ..Options::default() };
        let relay = Relay::new(Arc::new(Silent), Arc::new(MemorySink::default()), options);
        let relay = Arc::new(relay);
        for error in [
            relay.tick(0).await.map(drop).unwrap_err(),
            relay.purge(0).await.map(drop).unwrap_err(),
            relay.lag(0).await.map(drop).unwrap_err(),
            relay.replay_window(Duration::ZERO, 0).await.map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains("no answer within 3s"), "{error}");
        }
        let shutdown = CancellationToken::new();
        tokio::spawn(run(Arc::clone(&relay), Arc::default(), || 0, Pace::default(), shutdown.clone()));
        pass(Duration::ZERO).await;
        pass(Duration::from_millis(2999)).await;
        assert_eq!(relay.trouble(), None);
        pass(Duration::from_millis(2)).await;
        assert!(relay.trouble().unwrap().contains("silent"), "{:?}", relay.trouble());
        shutdown.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_ends_the_loop_also_in_a_long_pause() {
        let running = start(10, Pace { pause_min: Duration::from_secs(1000), ..Pace::default() });
        running.sink.script(|_| Fault::Unavailable);
        running.queue.push(1);
        pass(Duration::from_secs(1)).await;
        running.shutdown.cancel();
        pass(Duration::ZERO).await;
        assert!(running.task.is_finished());
    }
}
