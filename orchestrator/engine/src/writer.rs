//! The group-commit writer.
//!
//! Every saga of the node hands its appends in here. The writer drains what is queued, commits it as one batch, and
//! only then acknowledges. It has exactly one batch in flight; the flush trigger is "the previous commit returned",
//! so batches grow with load and an idle saga waits for one commit only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use backstitch_store::{Append, KeyRow, Store, StoreError, Verdict};
use metrics::{counter, histogram};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::follow::Durable;
use crate::metrics as names;
use crate::runner::Exit;

/// Why an append will never be durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Another saga has the key, or it is blocked.
    KeyTaken(KeyRow),
    /// The shard belongs to somebody else now.
    Fenced,
    /// The store refuses these records for good.
    Refused(String),
    /// No room; only first appends are given up for that, later ones wait.
    Full,
}

/// One append and who waits for it.
pub(crate) struct Job {
    pub(crate) append: Append,
    /// Told the saga's new durable number, or that it is lost.
    pub(crate) durable: Arc<watch::Sender<Durable>>,
    /// Told in detail, where somebody asked.
    pub(crate) answer: Option<oneshot::Sender<Result<(), Lost>>>,
}

impl Job {
    fn settle(self, verdict: Result<(), Lost>) {
        let seq = self.append.first_seq - 1 + u32::try_from(self.append.records.len()).unwrap_or(u32::MAX);
        self.durable.send_modify(|durable| match &verdict {
            Ok(()) => durable.seq = seq,
            Err(Lost::Refused(_)) => durable.lost = Some(Exit::Refused),
            Err(_) => durable.lost = Some(Exit::Dropped),
        });
        if let Some(answer) = self.answer {
            // Nobody waits any more: the client went away, the saga goes on.
            let _ = answer.send(verdict);
        }
    }
}

#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Job>,
}

impl Writer {
    /// Starts the writer's task. It ends when every handle is gone and the queue is empty. `fatal` is cancelled when
    /// the store can no longer tell what is durable: the process must end then.
    pub(crate) fn spawn(store: Arc<dyn Store>, max_batch: usize, fatal: CancellationToken) -> Self {
        let (queue, jobs) = mpsc::unbounded_channel();
        tokio::spawn(write(store, jobs, max_batch, fatal));
        Self { queue }
    }

    /// Hands an append in. Records of a saga commit in the order in which they are handed in.
    pub(crate) fn submit(&self, job: Job) {
        // The writer ends only by `fatal`; then nothing becomes durable any more and every waiter is left waiting.
        let _ = self.queue.send(job);
    }
}

async fn write(
    store: Arc<dyn Store>,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    max_batch: usize,
    fatal: CancellationToken,
) {
    let mut batch: Vec<Job> = Vec::new();
    while jobs.recv_many(&mut batch, max_batch).await > 0 {
        if let Err(why) = commit(store.as_ref(), &mut batch).await {
            error!(why, "the saga store cannot go on; ending the process");
            fatal.cancel();
            return;
        }
    }
}

/// Commits everything in `batch`, however long it takes. An error is fatal.
async fn commit(store: &dyn Store, batch: &mut Vec<Job>) -> Result<(), String> {
    let mut pauses = pauses();
    while !batch.is_empty() {
        let appends: Vec<Append> = batch.iter().map(|job| job.append.clone()).collect();
        let begun = Instant::now();
        let error = match store.commit(&appends).await {
            Ok(verdicts) => {
                measure(&appends, begun.elapsed());
                for (job, verdict) in batch.drain(..).zip(verdicts) {
                    job.settle(match verdict {
                        Verdict::Committed => Ok(()),
                        Verdict::KeyTaken(row) => Err(Lost::KeyTaken(row)),
                        Verdict::Fenced => Err(Lost::Fenced),
                        Verdict::Refused(why) => Err(Lost::Refused(why)),
                    });
                }
                return Ok(());
            }
            Err(error) => error,
        };
        match &error {
            StoreError::Fatal(why) => return Err(why.clone()),
            StoreError::Full(_) => give_up_new_sagas(batch),
            // Concerns single appends; the store names them when they come alone.
            StoreError::Invalid(why) | StoreError::Corrupt { why, .. } if batch.len() == 1 => {
                let lost = Lost::Refused(why.clone());
                batch.drain(..).for_each(|job| job.settle(Err(lost.clone())));
            }
            StoreError::Invalid(_) | StoreError::Corrupt { .. } => {
                let mut later = batch.split_off(batch.len() / 2);
                Box::pin(commit(store, batch)).await?;
                batch.append(&mut later);
                continue;
            }
            // `Unknown` too: what was committed is recognised by its bytes.
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {}
        }
        counter!(names::STORE_ERRORS).increment(1);
        warn!(%error, appends = batch.len(), "the saga store did not commit; trying again");
        tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(2))).await;
    }
    Ok(())
}

fn give_up_new_sagas(batch: &mut Vec<Job>) {
    let (new, old) = batch.drain(..).partition(|job| job.append.start.is_some());
    *batch = old;
    let new: Vec<Job> = new;
    // Later appends of a given-up saga cannot exist: it starts only after its first append is durable.
    new.into_iter().for_each(|job| job.settle(Err(Lost::Full)));
}

fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times()
        .build()
}

fn measure(appends: &[Append], took: Duration) {
    let records: usize = appends.iter().map(|a| a.records.len()).sum();
    let bytes: usize = appends.iter().flat_map(|a| &a.records).map(bytes::Bytes::len).sum();
    counter!(names::COMMITS).increment(1);
    counter!(names::RECORDS).increment(records as u64);
    counter!(names::RECORD_BYTES).increment(bytes as u64);
    histogram!(names::BATCH).record(appends.len() as f64);
    histogram!(names::COMMIT_SECONDS).record(took.as_secs_f64());
}
