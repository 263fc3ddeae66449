//! Sends what is queued, at least once each, always under the same Message-ID.
//!
//! The order protects: an attempt is counted and committed, then the mail is handed over outside any transaction, then
//! its end is committed. Whoever dies in between leaves a mail that is tried again once the claim on it has run out;
//! one that kills its sender every time is given up after its attempts like any other.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use lettre::message::Mailbox;
use participant_kit::{Background, Kit, LockKey, OpError, Progress};

use crate::post::{Mail, NotSent, Post};
use crate::store::{self, Claimed, Ended};

/// How long after each failed attempt the next one waits. A mail whose attempts are used up has failed.
const SPACING_MS: [i64; 7] =
    [10_000, 60_000, 5 * 60_000, 30 * 60_000, 2 * 3_600_000, 6 * 3_600_000, 24 * 3_600_000];
/// One more than there are waits between them.
pub(crate) const MAX_ATTEMPTS: i64 = 8;

/// A handing-over that takes longer is one that has not happened as far as we know.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// Longer than an attempt with both of its commits takes, so that no two senders try one mail at once.
pub(crate) const CLAIM_MS: i64 = 5 * 60_000;
/// So many mails are tried at once.
const BATCH: usize = 32;

/// The participant's own background work.
pub(crate) struct Mailer {
    pub(crate) kit: Kit,
    pub(crate) from: Mailbox,
    pub(crate) post: Arc<dyn Post>,
}

impl Mailer {
    /// Counts an attempt of each mail that it answers.
    async fn claim(&self, now_ms: i64) -> Result<Vec<Claimed>, OpError> {
        // Looking first keeps an idle participant from committing, and flushing, for nothing.
        let mut conn = self.kit.reads().acquire().await?;
        if !store::is_any_due(&mut conn, now_ms).await? {
            return Ok(Vec::new());
        }
        drop(conn);
        // Two senders that claim at once would only get in each other's way.
        let claim = self.kit.run(vec![LockKey::new("notification", "claim")], move |tx| {
            Box::pin(async move {
                let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
                let until_ms = now_ms.saturating_add(CLAIM_MS);
                store::give_up(tx.conn(), now_ms, MAX_ATTEMPTS).await?;
                Ok(store::claim(tx.conn(), now_ms, until_ms, MAX_ATTEMPTS, limit).await?)
            })
        });
        claim.await
    }

    /// One attempt at one mail: why it was not sent, if it was not.
    async fn attempt(&self, mail: Claimed, now_ms: i64) -> Result<(), String> {
        let sent = match Mail::write(mail.id, &self.from, &mail.to, &mail.letter, mail.created_at_ms) {
            Ok(written) => match tokio::time::timeout(ATTEMPT_TIMEOUT, self.post.send(&written)).await {
                Ok(sent) => sent,
                Err(_) => Err(NotSent::ForNow(format!("no answer for {ATTEMPT_TIMEOUT:?}"))),
            },
            Err(e) => Err(e),
        };
        let ended = ended(&sent, mail.attempt, now_ms);
        let (id, attempt) = (mail.id, mail.attempt);
        let settle = self.kit.run(Vec::new(), move |tx| {
            let ended = ended.clone();
            Box::pin(async move { Ok(store::settle(tx.conn(), id, attempt, &ended, now_ms).await?) })
        });
        let settled = settle.await.map_err(|e| format!("mail {id} was tried, but not marked: {e}"));
        settled.and(sent.map_err(|e| format!("mail {id}, attempt {attempt}: {e}")))
    }
}

/// What to write about an attempt.
fn ended(sent: &Result<(), NotSent>, attempt: i64, now_ms: i64) -> Ended {
    let wait = usize::try_from(attempt - 1).ok().and_then(|n| SPACING_MS.get(n));
    match (sent, wait) {
        (Ok(()), _) => Ended::Sent { at_ms: now_ms },
        (Err(NotSent::ForNow(why)), Some(wait)) => {
            Ended::TryAgain { at_ms: now_ms.saturating_add(*wait), why: why.clone() }
        }
        (Err(e), _) => Ended::Failed { why: e.to_string() },
    }
}

#[async_trait]
impl Background for Mailer {
    fn name(&self) -> &'static str {
        "send_mail"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        let mails = match self.claim(now_ms).await {
            Ok(mails) => mails,
            Err(e) => return Progress::failed(e),
        };
        let more = mails.len() == BATCH;
        let results = join_all(mails.into_iter().map(|mail| self.attempt(mail, now_ms))).await;
        let done = results.iter().filter(|r| r.is_ok()).count();
        // One of them is enough for the log; each is in its row.
        let problem = results.into_iter().find_map(Result::err);
        Progress { done, more, problem }
    }
}

#[cfg(test)]
mod tests;
