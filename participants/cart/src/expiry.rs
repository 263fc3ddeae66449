//! Carts that nobody holds and nobody has touched for their lifetime go away.

use async_trait::async_trait;
use participant_kit::{Background, Kit, OpError, Progress, Tx};

use crate::actions::versions_lock;
use crate::store;

/// So many carts per tick: one short transaction, with room for checkouts in between.
const PER_TICK: u16 = 500;

pub(crate) struct Expiry {
    kit: Kit,
}

impl Expiry {
    pub(crate) fn new(kit: Kit) -> Self {
        Self { kit }
    }
}

#[async_trait]
impl Background for Expiry {
    fn name(&self) -> &'static str {
        "cart expiry"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        // Two processes that sweep at once would only get in each other's way.
        let locks = vec![versions_lock()];
        match self.kit.run(locks, move |tx| Box::pin(sweep(tx, now_ms))).await {
            Ok(0) => Progress::idle(),
            Ok(gone) => Progress::done(gone, gone == usize::from(PER_TICK)),
            Err(error) => Progress::failed(error),
        }
    }
}

async fn sweep(tx: &mut Tx<'_>, now_ms: i64) -> Result<usize, OpError> {
    let gone = store::remove_expired(tx.conn(), now_ms, i64::from(PER_TICK)).await?;
    if let Some(&highest) = gone.iter().max() {
        store::retire(tx.conn(), highest).await?;
    }
    Ok(gone.len())
}
