//! What a change of a cart has to do with its copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Tx, Undo};
use sqlx::Row as _;

use super::keyspace;
use super::link::Live;
use super::scripts::{MARK_MS, Token};

/// A mark is believed for so long; the rest of its life is for the commit.
const FRESH: Duration = Duration::from_millis((MARK_MS / 2).unsigned_abs());

/// Goes with a change into its transaction. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Mark(Option<Arc<Shared>>);

struct Shared {
    /// Where the carts are marked; none where they are not.
    keyspace: Option<String>,
    since: Instant,
    proof: &'static str,
    forsook: AtomicBool,
}

impl Mark {
    /// Of a change where there are no copies.
    pub(super) fn not_needed() -> Self {
        Self(None)
    }

    /// The locks of a change, with what this adds.
    pub(crate) fn locks(&self, mut locks: Vec<LockKey>) -> Vec<LockKey> {
        if self.0.as_ref().is_some_and(|shared| shared.keyspace.is_none()) {
            locks.push(keyspace::lock());
        }
        locks
    }

    /// In the transaction of the change: makes sure that no copy of before it is believed after it.
    pub(crate) async fn prove(&self, tx: &mut Tx<'_>) -> Result<(), OpError> {
        let Some(shared) = &self.0 else { return Ok(()) };
        if let Some(marked_in) = shared.keyspace.as_ref().filter(|_| shared.since.elapsed() < FRESH) {
            let believed: String = sqlx::query(shared.proof).fetch_one(tx.conn()).await?.try_get(0)?;
            if believed == *marked_in {
                return Ok(());
            }
        }
        keyspace::empty(tx).await?;
        shared.forsook.store(true, Ordering::Release);
        Ok(())
    }
}

/// A change that is about to run.
pub(super) struct Marked {
    /// Where it is marked, if it is.
    pub(super) at: Option<(Live, Token)>,
    shared: Arc<Shared>,
}

impl Marked {
    pub(super) fn new(at: Option<(Live, Token)>, since: Instant, proof: &'static str) -> Self {
        let keyspace = at.as_ref().map(|(live, _)| live.keyspace().to_owned());
        Self { at, shared: Arc::new(Shared { keyspace, since, proof, forsook: AtomicBool::new(false) }) }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(Some(self.shared.clone()))
    }

    /// Whether the change has emptied the keyspace.
    pub(super) fn forsook(&self) -> bool {
        self.shared.forsook.load(Ordering::Acquire)
    }
}

/// An action or undo that changes a cart, with its mark.
#[derive(Clone)]
pub(crate) struct Changing<A> {
    pub(crate) inner: A,
    pub(crate) mark: Mark,
}

#[async_trait]
impl<A: Action> Action for Changing<A> {
    type Answer = A::Answer;

    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    fn locks(&self) -> Vec<LockKey> {
        self.mark.locks(self.inner.locks())
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<A::Answer, OpError> {
        self.mark.prove(tx).await?;
        self.inner.perform(tx, call).await
    }
}

#[async_trait]
impl<U: Undo> Undo for Changing<U> {
    type Answer = U::Answer;

    fn locks(&self) -> Vec<LockKey> {
        self.mark.locks(self.inner.locks())
    }

    async fn take_back(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        self.mark.prove(tx).await?;
        self.inner.take_back(tx, call).await
    }
}
