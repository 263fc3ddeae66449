//! Which checkouts have let their carts go is forgotten with the barrier's rows of them.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use participant_kit::{Background, Kit, OpError, Progress};

use crate::actions::lock;
use crate::store;

/// So many per tick: the cart of each is locked.
const PER_TICK: u8 = 100;

/// How often it is looked for old ones, in milliseconds.
const EVERY_MS: i64 = 60 * 60 * 1000;

pub(crate) struct Forgetting {
    kit: Kit,
    next_ms: AtomicI64,
}

impl Forgetting {
    pub(crate) fn new(kit: Kit) -> Self {
        Self { kit, next_ms: AtomicI64::new(i64::MIN) }
    }

    /// Answers whether there may be more. A row is what a Clear of its checkout that comes late asks for, so it may go once
    /// the barrier has forgotten that checkout: a call of it is told that it is too old then. One that was let in just before
    /// has its cart's lock, and has ended when this has it.
    async fn forget(&self) -> Result<(usize, bool), OpError> {
        let Some(served_from) = self.kit.answers_from().await? else { return Ok((0, false)) };
        let mut reader = self.kit.reads().acquire().await?;
        let old = store::forgotten_let_go(&mut reader, &served_from, PER_TICK.into()).await?;
        drop(reader);
        if old.is_empty() {
            return Ok((0, false));
        }
        let (more, locks) =
            (old.len() == usize::from(PER_TICK), old.iter().map(|(_, cart)| lock(cart)).collect());
        let gone = self.kit.run(locks, move |tx| {
            let old = old.clone();
            Box::pin(async move {
                let mut gone = 0;
                for (checkout, _) in &old {
                    gone += usize::from(store::forget_let_go(tx.conn(), checkout).await?);
                }
                Ok(gone)
            })
        });
        Ok((gone.await?, more))
    }
}

#[async_trait]
impl Background for Forgetting {
    fn name(&self) -> &'static str {
        "forgetting carts that were let go of"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        if now_ms < self.next_ms.load(Ordering::Relaxed) {
            return Progress::idle();
        }
        let (gone, more) = match self.forget().await {
            Ok(forgotten) => forgotten,
            Err(error) => return Progress::failed(error),
        };
        if !more {
            self.next_ms.store(now_ms.saturating_add(EVERY_MS), Ordering::Relaxed);
        }
        Progress::done(gone, more)
    }
}
