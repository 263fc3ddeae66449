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

    /// Answers how many went. A row is what a Clear of its checkout that comes late asks for, so it may go once no call of
    /// that checkout is answered any more. A Clear that was let in just before that has its cart's lock, and has ended
    /// when this has it; one that comes after is told that it is too old.
    async fn forget(&self) -> Result<usize, OpError> {
        let Some(answered_from) = self.kit.answers_from().await? else { return Ok(0) };
        let mut reader = self.kit.reads().acquire().await?;
        let gone = store::forgotten_let_go(&mut reader, &answered_from, PER_TICK.into()).await?;
        drop(reader);
        if gone.is_empty() {
            return Ok(0);
        }
        let (count, locks) = (gone.len(), gone.iter().map(|(_, cart)| lock(cart)).collect());
        self.kit
            .run(locks, move |tx| {
                let gone = gone.clone();
                Box::pin(async move {
                    for (checkout, _) in &gone {
                        store::forget_let_go(tx.conn(), checkout).await?;
                    }
                    Ok(count)
                })
            })
            .await
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
        let gone = match self.forget().await {
            Ok(gone) => gone,
            Err(error) => return Progress::failed(error),
        };
        let more = gone == usize::from(PER_TICK);
        if !more {
            self.next_ms.store(now_ms.saturating_add(EVERY_MS), Ordering::Relaxed);
        }
        Progress::done(gone, more)
    }
}
