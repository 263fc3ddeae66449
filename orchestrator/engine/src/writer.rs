//! The group-commit writer.
//!
//! Every saga of the node hands its appends in here. The writer drains what is queued, commits it as one batch, and
//! only then acknowledges. It has exactly one batch in flight; the flush trigger is "the previous commit returned",
//! so batches grow with load and an idle saga waits for one commit only.
//!
//! An append that nobody waits for rides: alone it lingers a moment for one that somebody does wait for, so that a
//! saga pays for the commits that the safety table asks for and no more.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use backstitch_failpoint::Label;
use backstitch_store::{Append, KeyRow, Status, Store, StoreError, Verdict};
use futures::future::BoxFuture;
use metrics::{counter, histogram};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::follow::Durable;
use crate::metrics as names;
use crate::runner::Exit;

/// How long appends that nobody waits for wait for one that somebody does.
const LINGER: Duration = Duration::from_millis(10);

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
    /// Somebody waits for it: an effect, an answer, the end of the saga.
    pub(crate) urgent: bool,
    /// Told the saga's new durable number, or that it is lost.
    pub(crate) durable: Arc<watch::Sender<Durable>>,
    /// Told in detail, where somebody asked.
    pub(crate) answer: Option<oneshot::Sender<Result<(), Lost>>>,
    /// What came of what, for failpoints.
    pub(crate) label: Label,
}

/// Who waits for an append, once the append itself is in a batch.
struct Waiter {
    /// The append's last record.
    seq: u32,
    /// The status as of it, where the append changes it.
    status: Option<Status>,
    durable: Arc<watch::Sender<Durable>>,
    answer: Option<oneshot::Sender<Result<(), Lost>>>,
}

impl Waiter {
    fn settle(self, verdict: Result<(), Lost>) {
        self.durable.send_modify(|durable| match &verdict {
            Ok(()) => {
                durable.seq = self.seq;
                durable.status = self.status.unwrap_or(durable.status);
            }
            Err(Lost::Refused(_)) => durable.lost = Some(Exit::Refused),
            Err(Lost::Fenced) => durable.lost = Some(Exit::Fenced),
            Err(_) => durable.lost = Some(Exit::Dropped),
        });
        if let Some(answer) = self.answer {
            // Nobody waits any more: the client went away, the saga goes on.
            let _ = answer.send(verdict);
        }
    }
}

/// Appends as the store takes them, and beside each who waits for it.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    waiters: Vec<Waiter>,
    urgent: bool,
    labels: Vec<Label>,
}

impl Batch {
    fn push(&mut self, Job { append, urgent, durable, answer, label }: Job) {
        self.labels.push(label);
        self.urgent |= urgent;
        let seq = append.first_seq - 1 + u32::try_from(append.records.len()).unwrap_or(u32::MAX);
        let status = append.summary.as_ref().map(|summary| summary.status);
        self.appends.push(append);
        self.waiters.push(Waiter { seq, status, durable, answer });
    }

    fn settle(self, verdicts: Vec<Verdict>) {
        for (waiter, verdict) in self.waiters.into_iter().zip(verdicts) {
            waiter.settle(match verdict {
                Verdict::Committed => Ok(()),
                Verdict::KeyTaken(row) => Err(Lost::KeyTaken(row)),
                Verdict::Fenced => Err(Lost::Fenced),
                Verdict::Refused(why) => Err(Lost::Refused(why)),
            });
        }
    }

    /// A place for failpoints.
    fn reach(&self, place: &str) {
        self.labels.iter().for_each(|label| label.hit(place));
    }

    fn lose(self, why: &Lost) {
        self.waiters.into_iter().for_each(|waiter| waiter.settle(Err(why.clone())));
    }

    /// Everything from `at` on, taken out.
    fn split_off(&mut self, at: usize) -> Self {
        Self {
            appends: self.appends.split_off(at),
            waiters: self.waiters.split_off(at),
            urgent: self.urgent,
            labels: self.labels.clone(),
        }
    }

    /// First appends, taken out. Later appends of a given-up saga cannot exist: its task begins only after its first
    /// append is durable.
    fn take_new(&mut self) -> Self {
        let (mut new, mut old) = (Self::default(), Self::default());
        for (append, waiter) in self.appends.drain(..).zip(self.waiters.drain(..)) {
            let to = if append.start.is_some() { &mut new } else { &mut old };
            to.appends.push(append);
            to.waiters.push(waiter);
        }
        (self.appends, self.waiters) = (old.appends, old.waiters);
        new
    }
}

/// Something to ask the store between two batches.
type Errand = BoxFuture<'static, ()>;

#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Job>,
    errands: mpsc::UnboundedSender<Errand>,
}

impl Writer {
    /// Starts the writer's task. It ends when every handle is gone and the queue is empty. `fatal` is cancelled when
    /// the store can no longer tell what is durable: the process must end then.
    pub(crate) fn spawn(store: Arc<dyn Store>, max_batch: usize, fatal: CancellationToken) -> Self {
        let ((queue, jobs), (errands, asked)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        tokio::spawn(write(store, jobs, asked, max_batch, fatal));
        Self { queue, errands }
    }

    /// Does `work` after the batch that is under way and before the next one, whatever else waits. None if the writer
    /// has ended.
    pub(crate) async fn between<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have gone; it is done all the same.
        let errand = async move { drop(answer.send(work.await)) };
        self.errands.send(Box::pin(errand)).ok()?;
        answered.await.ok()
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
    mut errands: mpsc::UnboundedReceiver<Errand>,
    max_batch: usize,
    fatal: CancellationToken,
) {
    // A panic in the store ends this task too; nobody may wait for what nobody writes.
    let ending = fatal.drop_guard();
    let mut drained: Vec<Job> = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(errand) = errands.recv() => {
                errand.await;
                continue;
            }
            // What came in while the batch before waited is first.
            () = std::future::ready(()), if !drained.is_empty() => {}
            found = jobs.recv_many(&mut drained, max_batch) => if found == 0 { break },
        }
        let mut batch = Batch::default();
        let whole = drained.len().min(max_batch);
        drained.drain(..whole).for_each(|job| batch.push(job));
        let deadline = tokio::time::Instant::now() + LINGER;
        while !batch.urgent && batch.appends.len() < max_batch {
            let room = max_batch - batch.appends.len();
            match tokio::time::timeout_at(deadline, jobs.recv_many(&mut drained, room)).await {
                Ok(1..) => drained.drain(..).for_each(|job| batch.push(job)),
                Ok(0) | Err(_) => break,
            }
        }
        let mut door = Door { jobs: &mut jobs, inside: &mut drained, errands: &mut errands };
        if let Err(why) = commit(store.as_ref(), batch, false, &mut door).await {
            error!(why, "the saga store cannot go on; ending the process");
            return;
        }
    }
    ending.disarm();
}

/// What comes in while a batch waits for its store.
struct Door<'a> {
    jobs: &'a mut mpsc::UnboundedReceiver<Job>,
    /// Jobs that came in; they are next.
    inside: &'a mut Vec<Job>,
    errands: &'a mut mpsc::UnboundedReceiver<Errand>,
}

impl Door<'_> {
    /// Waits until `until`. Without room, new work is told so at once: it would wait behind work that waits for room.
    async fn wait(&mut self, until: tokio::time::Instant, room: bool) {
        loop {
            tokio::select! {
                biased;
                Some(errand) = self.errands.recv() => errand.await,
                () = tokio::time::sleep_until(until) => return,
                Some(job) = self.jobs.recv() => if room || job.append.start.is_none() {
                    self.inside.push(job);
                } else {
                    let mut refused = Batch::default();
                    refused.push(job);
                    refused.lose(&Lost::Full);
                },
            }
        }
    }
}

/// Commits everything in `batch`, however long it takes. An error is fatal. `in_doubt`: it may be there already.
async fn commit(
    store: &dyn Store,
    mut batch: Batch,
    mut in_doubt: bool,
    door: &mut Door<'_>,
) -> Result<(), String> {
    let mut pauses = pauses();
    while !batch.appends.is_empty() {
        let begun = Instant::now();
        batch.reach("writer.before_commit");
        let error = match store.commit(&batch.appends).await {
            Ok(verdicts) => {
                measure(&batch.appends, begun.elapsed());
                batch.reach("writer.after_commit");
                batch.settle(verdicts);
                return Ok(());
            }
            Err(error) => error,
        };
        match &error {
            StoreError::Fatal(why) => return Err(why.clone()),
            // Giving up says that nothing was written; what may be there waits for room like everything else.
            StoreError::Full(_) if !in_doubt => batch.take_new().lose(&Lost::Full),
            // Concerns single appends; the store names them when they come alone.
            StoreError::Invalid(why) | StoreError::Corrupt { why, .. } if batch.appends.len() == 1 => {
                batch.lose(&Lost::Refused(why.clone()));
                return Ok(());
            }
            StoreError::Invalid(_) | StoreError::Corrupt { .. } => {
                let later = batch.split_off(batch.appends.len() / 2);
                Box::pin(commit(store, batch, in_doubt, door)).await?;
                batch = later;
                continue;
            }
            // Tried again: what was committed is recognised by its bytes.
            StoreError::Unknown(_) => in_doubt = true,
            StoreError::Unavailable(_) | StoreError::Full(_) => {}
        }
        counter!(names::STORE_ERRORS).increment(1);
        warn!(%error, appends = batch.appends.len(), "the saga store did not commit; trying again");
        let again = tokio::time::Instant::now() + pauses.next().unwrap_or(Duration::from_secs(2));
        door.wait(again, !matches!(error, StoreError::Full(_))).await;
    }
    Ok(())
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
