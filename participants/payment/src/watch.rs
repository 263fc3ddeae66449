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
            let looked = async {
                let payment = self.desk.payment(refund.payment).await?;
                look::done_refunds(&self.desk, &payment).await
            };
            match looked.await {
                Ok(()) => progress.done += 1,
                Err(Trouble::Later(why) | Trouble::Broken(why)) => {
                    progress.problem = Some(format!("refund {}: {why}", refund.id));
                }
            }
        }
        Ok(progress)
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
        let query = sqlx::query(include_str!("sql/holds_ending.sql"));
        let soon_ms = now_ms.saturating_add(WARNED_BEFORE_MS);
        let rows = query.bind(now_ms).bind(soon_ms).bind(MOST).fetch_all(self.desk.kit.reads()).await;
        let rows = rows.map_err(OpError::from)?;
        let mut progress = Progress::done(0, i64::try_from(rows.len()).is_ok_and(|count| count == MOST));
        for row in &rows {
            let id: String = row.try_get("payment_id").map_err(OpError::from)?;
            let id: Uuid = id.parse().map_err(|_| Trouble::Broken(format!("`{id}` is no payment id")))?;
            self.warn(id, now_ms).await?;
            progress.done += 1;
        }
        Ok(progress)
    }

    /// Warns once that a hold is about to end, and once more that it has ended: then the provider is asked.
    async fn warn(&self, id: Uuid, now_ms: i64) -> Result<(), Trouble> {
        let warned = self.desk.write(id, move |tx| {
            Box::pin(async move {
                let query = sqlx::query(include_str!("sql/warned.sql")).bind(id.to_string()).bind(now_ms);
                Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
            })
        });
        if !warned.await? {
            return Ok(());
        }
        let payment = self.desk.payment(id).await?;
        let (amount, until_ms) = (payment.amount, payment.capture_before_ms);
        if until_ms > now_ms {
            counter!(ENDING).increment(1);
            tracing::warn!(payment = %id, saga = %payment.saga, %amount, until_ms, "a hold ends soon and is not captured");
            return Ok(());
        }
        tracing::warn!(payment = %id, saga = %payment.saga, %amount, until_ms, "a hold has ended without being captured");
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
    ended.unwrap_or_else(|(Trouble::Later(why) | Trouble::Broken(why))| Progress::failed(why))
}
