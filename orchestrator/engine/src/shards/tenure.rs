//! One uninterrupted holding of a shard.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use backstitch_store::Lease;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The right to act for the sagas of one shard, from its acquisition on. Once it is over it stays over: whoever has the
/// shard again has another tenure, and knows nothing from this one.
#[derive(Clone)]
pub(crate) struct Tenure(Arc<Held>);

struct Held {
    lease: Lease,
    /// On the monotonic clock, counted from before the renewal was asked for; None: it does not end by time.
    ends: Mutex<Option<Instant>>,
    /// Finish what is under way and begin nothing. Cancelled with `over` and with the engine's stopping.
    leaving: CancellationToken,
    over: CancellationToken,
}

impl Tenure {
    /// Begins. A tenure that ends by time is over as soon as that time has come, whoever is busy with what.
    pub(super) fn begin(lease: Lease, ends: Option<Instant>, stopping: &CancellationToken) -> Self {
        let (leaving, over) = (stopping.child_token(), CancellationToken::new());
        let tenure = Self(Arc::new(Held { lease, ends: Mutex::new(ends), leaving, over }));
        if ends.is_some() {
            tokio::spawn(tenure.clone().watch());
        }
        tenure
    }

    async fn watch(self) {
        while let Some(ends) = self.ends() {
            tokio::select! {
                () = self.over() => return,
                () = tokio::time::sleep_until(ends) => {
                    if !self.holds() {
                        return self.end();
                    }
                }
            }
        }
    }

    fn ends(&self) -> Option<Instant> {
        *self.0.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn renew(&self, ends: Instant) {
        *self.0.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends);
    }

    pub(crate) fn lease(&self) -> Lease {
        self.0.lease
    }

    /// Whether this node may act for the shard at this very moment. Asked immediately before anything is sent or
    /// handed in: a process that was frozen learns of the time that has passed nowhere else.
    pub(crate) fn holds(&self) -> bool {
        !self.0.over.is_cancelled() && self.ends().is_none_or(|ends| Instant::now() < ends)
    }

    /// Whether new things may begin here.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_leaving() && self.holds()
    }

    /// Whether what is under way is to come to rest.
    pub(crate) fn is_leaving(&self) -> bool {
        self.0.leaving.is_cancelled()
    }

    /// What is under way comes to rest at its next durable point; nothing begins.
    pub(super) fn leave(&self) {
        self.0.leaving.cancel();
    }

    /// Everything is dropped, with nothing further sent.
    pub(crate) fn end(&self) {
        self.0.over.cancel();
        self.0.leaving.cancel();
    }

    /// Completes when [`Self::is_leaving`].
    pub(crate) async fn left(&self) {
        self.0.leaving.cancelled().await;
    }

    /// Completes when it is over.
    pub(crate) async fn over(&self) {
        self.0.over.cancelled().await;
    }

    /// Does `work` for as long as this tenure holds, which is looked at before every step of it; after that it never
    /// completes, and is to be dropped.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| if self.holds() { work.as_mut().poll(cx) } else { Poll::Pending }).await
    }
}
