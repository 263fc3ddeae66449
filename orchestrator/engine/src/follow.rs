//! Following a live saga from outside its task.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backstitch_store::Status;
use tokio::sync::watch;

use crate::runner::Exit;
use crate::view::SagaView;

/// How far a live saga is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Durable {
    /// Number of the last durable record.
    pub(crate) seq: u32,
    /// As of that record.
    pub(crate) status: Status,
    /// The writer will not write it any more.
    pub(crate) lost: Option<Exit>,
}

/// A live saga, followed: wakes at every durable change and when the saga leaves memory.
#[derive(Clone)]
pub struct Follow {
    pub(crate) durable: watch::Receiver<Durable>,
    pub(crate) last: Arc<OnceLock<SagaView>>,
}

impl Follow {
    /// Waits for the next durable change. False when the saga has left memory (it ended, or rests parked): its last
    /// state is in the store.
    pub async fn changed(&mut self) -> bool {
        self.durable.changed().await.is_ok()
    }

    /// Waits until the saga leaves memory, at most so long. Its last durable state, if it left in time with one.
    pub async fn rested(mut self, patience: Duration) -> Option<SagaView> {
        let gone = async { while self.durable.changed().await.is_ok() {} };
        tokio::time::timeout(patience, gone).await.ok()?;
        self.last.get().cloned()
    }

    /// As [`Follow::rested`], and no longer than until it is durable that the saga waits for the customer.
    pub async fn halted(mut self, patience: Duration) -> Option<SagaView> {
        let waits =
            async { self.durable.wait_for(|durable| durable.status == Status::Waiting).await.is_ok() };
        let waits = tokio::time::timeout(patience, waits).await.ok()?;
        if waits { None } else { self.last.get().cloned() }
    }
}
