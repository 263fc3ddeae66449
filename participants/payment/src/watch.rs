//! What is looked at because time has passed: refunds that are done and may yet fail, holds that are about to end.

use async_trait::async_trait;
use metrics::counter;
use participant_kit::{Background, OpError, Progress};
use sqlx::Row as _;
use uuid::Uuid;

use crate::desk::{Desk, Trouble};
use crate::metrics::ENDING;
use crate::{look, refunds};

/// The most payments that one tick looks at.
const MOST: i64 = 64;

/// How long before its end a hold is warned about: a day, in which somebody can still capture it.
pub const WARNED_BEFORE_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long a hold that has ended here and not yet at the provider is left alone, at the least and at the most: in
/// between it is looked at each time twice as long after its end as the last time.
const SHORTEST_PAUSE_MS: i64 = 60 * 1_000;
const LONGEST_PAUSE_MS: i64 = 24 * 60 * 60 * 1_000;

/// The loop over done refunds.
pub(crate) struct Refunds {
    pub(crate) desk: Desk,
}

impl Refunds {
    async fn tick(&self, now_ms: i64) -> Result<Progress, Trouble> {
        let mut conn = self.desk.kit.reads().acquire().await.map_err(OpError::from)?;
        let due = refunds::due(&mut conn, now_ms, MOST).await?;
        drop(conn);
        let mut progress = Progress::done(0, i64::try_from(due.len()).is_ok_and(|count| count == MOST));
        for refund in due {
            // Whoever is not asked keeps its turn; the one that was told so has had it.
            if self.desk.not_early(None).is_err() {
                progress.more = false;
                break;
            }
            match self.look(&refund).await {
                Ok(()) => progress.done += 1,
                Err(Trouble::Later(why) | Trouble::Busy(_, why) | Trouble::Broken(why)) => {
                    progress.problem = Some(format!("refund {}: {why}", refund.id));
                }
            }
        }
        Ok(progress)
    }

    /// Looks at a refund that is due. Whatever comes of it, it is not due any more: what cannot be looked at would be asked
    /// for every time, and keep younger ones from being looked at.
    async fn look(&self, refund: &refunds::Refund) -> Result<(), Trouble> {
        let payment = self.desk.payment(refund.payment).await?;
        let looked = if payment.provider == self.desk.gateway.name() {
            look::done_refunds(&self.desk, &payment, |refund| refund.look_at_ms > 0).await
        } else {
            // Another provider knows nothing of it.
            Ok(())
        };
        let due = refund.clone();
        let moved = self.desk.write(payment.id, move |tx| {
            let due = due.clone();
            Box::pin(async move { refunds::look_again(tx, &due).await })
        });
        // Nothing, if the look has moved it already.
        moved.await?;
        looked
    }
}

#[async_trait]
impl Background for Refunds {
    fn name(&self) -> &'static str {
        "done refunds"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        told(self.tick(now_ms).await)
    }
}

/// The loop over holds.
pub(crate) struct Holds {
    pub(crate) desk: Desk,
}

impl Holds {
    async fn tick(&self, now_ms: i64) -> Result<Progress, Trouble> {
        let query = sqlx::query(include_str!("sql/holds_ending.sql"))
            .bind(now_ms)
            .bind(now_ms.saturating_add(WARNED_BEFORE_MS))
            .bind(MOST)
            .bind(self.desk.gateway.name())
            .bind(now_ms.saturating_sub(SHORTEST_PAUSE_MS))
            .bind(now_ms.saturating_sub(LONGEST_PAUSE_MS));
        let rows = query.fetch_all(self.desk.kit.reads()).await.map_err(OpError::from)?;
        let mut progress = Progress::done(0, i64::try_from(rows.len()).is_ok_and(|count| count == MOST));
        for row in &rows {
            if self.desk.not_early(None).is_err() {
                progress.more = false;
                break;
            }
            let id: String = row.try_get("payment_id").map_err(OpError::from)?;
            let id: Uuid = id.parse().map_err(|_| Trouble::Broken(format!("`{id}` is no payment id")))?;
            let warned_at_ms: i64 = row.try_get("warned_at_ms").map_err(OpError::from)?;
            match self.warn(id, warned_at_ms, now_ms).await {
                Ok(()) => progress.done += 1,
                Err(Trouble::Later(why) | Trouble::Busy(_, why) | Trouble::Broken(why)) => {
                    progress.problem = Some(format!("hold of payment {id}: {why}"));
                }
            }
        }
        Ok(progress)
    }

    /// Warns once that a hold is about to end, and once more that it has ended. From then on the provider is asked until
    /// its object shows the end, which is what takes the payment out of the selection; that it was asked is written
    /// first, so that what cannot be asked for does not keep others from it.
    async fn warn(&self, id: Uuid, warned_at_ms: i64, now_ms: i64) -> Result<(), Trouble> {
        let first = self.desk.write(id, move |tx| {
            Box::pin(async move {
                let query = sqlx::query(include_str!("sql/warned.sql"));
                let query = query.bind(id.to_string()).bind(warned_at_ms).bind(now_ms);
                Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
            })
        });
        if !first.await? {
            return Ok(());
        }
        let payment = self.desk.payment(id).await?;
        let (amount, until_ms) = (payment.amount, payment.capture_before_ms);
        if until_ms > now_ms {
            counter!(ENDING).increment(1);
            tracing::warn!(payment = %id, saga = %payment.saga, %amount, until_ms, "a hold ends soon and is not captured");
            return Ok(());
        }
        if warned_at_ms < until_ms {
            tracing::warn!(payment = %id, saga = %payment.saga, %amount, until_ms, "a hold has ended without being captured");
        }
        if payment.provider != self.desk.gateway.name() {
            return Ok(());
        }
        look::at(&self.desk, &payment).await
    }
}

#[async_trait]
impl Background for Holds {
    fn name(&self) -> &'static str {
        "holds"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        told(self.tick(now_ms).await)
    }
}

fn told(ended: Result<Progress, Trouble>) -> Progress {
    ended.unwrap_or_else(|(Trouble::Later(why) | Trouble::Busy(_, why) | Trouble::Broken(why))| {
        Progress::failed(why)
    })
}
