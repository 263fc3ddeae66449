//! What a participant needs to act on events of others: its errors in a consumer's words, and an inbox that forgets.

use async_trait::async_trait;
use outbox_relay::consumer::Failure;
use outbox_relay::inbox::{self, INBOX_RETENTION};

use crate::kit::Kit;
use crate::outcome::OpError;
use crate::server::{Background, Progress};

/// Rows that one tick forgets at most.
const MOST: u32 = 1000;

/// What a person would have to look at may be the message's fault; everything else passes.
impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Refused(_) | OpError::Broken(_) | OpError::Superseded(_) | OpError::Status(_) => {
                Failure::Failed(error.to_string())
            }
            OpError::NotNow { .. } | OpError::Database(_) | OpError::Lock(_) | OpError::Unknown(_) => {
                Failure::Later(error.to_string())
            }
        }
    }
}

/// Forgets events that were acted on longer ago than any topic keeps them.
pub(crate) struct ForgetInbox(pub(crate) Kit);

#[async_trait]
impl Background for ForgetInbox {
    fn name(&self) -> &'static str {
        "forget_inbox"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        let keep = i64::try_from(INBOX_RETENTION.as_millis()).unwrap_or(i64::MAX);
        let before_ms = now_ms.saturating_sub(keep);
        // Looking first keeps an idle participant from committing for nothing.
        let old = sqlx::query("SELECT 1 AS found FROM inbox WHERE at_ms < $1 LIMIT 1").bind(before_ms);
        match old.fetch_optional(self.0.reads()).await {
            Ok(None) => return Progress::idle(),
            Ok(Some(_)) => {}
            Err(error) => return Progress::failed(error),
        }
        let forget = self.0.run(Vec::new(), move |tx| {
            Box::pin(async move { Ok(inbox::forget(tx.conn(), before_ms, MOST).await?) })
        });
        match forget.await {
            Ok(gone) => Progress::done(usize::try_from(gone).unwrap_or(usize::MAX), gone >= u64::from(MOST)),
            Err(error) => Progress::failed(format!("old inbox rows stay: {error}")),
        }
    }
}
