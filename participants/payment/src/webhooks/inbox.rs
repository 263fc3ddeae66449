//! Events as they are kept, and the loop that works through them.
//!
//! An event that cannot be finished is kept and tried again at growing intervals: one about an object that is of no
//! payment here is parked, and is due at once when a payment gets that object ([`arrived`]). Whoever shares an account
//! parks every event of the others, so what is parked comes after what is new, and is not tried for ever. The body is kept
//! until then, or until the event is done.

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use metrics::gauge;
use participant_kit::{Background, Kit, OpError, Progress, Tx};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::event::Event;
use crate::desk::{Desk, Trouble};
use crate::gateway::ProviderId;
use crate::metrics::PARKED;
use crate::{ledger, look, pauses};

const STORE: &str = include_str!("../sql/webhooks/store.sql");
const DUE: &str = include_str!("../sql/webhooks/due.sql");
const ARRIVED: &str = include_str!("../sql/webhooks/arrived.sql");
const SETTLE: &str = include_str!("../sql/webhooks/settle.sql");
const LIST: &str = include_str!("../sql/webhooks/list.sql");
const COUNT_PARKED: &str = "SELECT COUNT(*) FROM webhooks WHERE status = 'parked'";

/// The most events that one tick works through.
const MOST: i64 = 32;

/// The longest pause of a parked event, how long it is tried, and when it is due after that: never by itself.
const PARKED_PAUSE_MS: i64 = 24 * 60 * 60 * 1_000;
const PARKED_TRIED_FOR_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
const NEVER_MS: i64 = i64::MAX;

/// How often what is parked is counted, at the most.
const COUNTED_EVERY_MS: i64 = 60 * 1_000;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Waiting,
    Parked,
    Done,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::Waiting => "waiting",
            Status::Parked => "parked",
            Status::Done => "done",
        }
    }
}

/// Keeps an event; the same one again changes nothing.
pub(crate) async fn store(
    kit: &Kit,
    provider: &'static str,
    event: &Event,
    body: &[u8],
) -> Result<(), OpError> {
    let (event, body) = (event.clone(), body.to_vec());
    kit.run(Vec::new(), move |tx| {
        let (event, body) = (event.clone(), body.clone());
        Box::pin(async move {
            let now_ms = tx.now_ms();
            let query = sqlx::query(STORE)
                .bind(provider)
                .bind(event.id)
                .bind(event.kind)
                .bind(event.object)
                .bind(body)
                .bind(now_ms);
            query.execute(tx.conn()).await?;
            Ok(())
        })
    })
    .await
}

/// A payment has this object from now on: what was parked about it is due, also what is being tried at this moment.
pub(crate) async fn arrived(tx: &mut Tx<'_>, provider: &str, object: &ProviderId) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    sqlx::query(ARRIVED).bind(provider).bind(object.as_str()).bind(now_ms).execute(tx.conn()).await?;
    Ok(())
}

/// An event as it is listed.
pub(crate) struct Kept {
    pub(crate) event_id: String,
    pub(crate) kind: String,
    pub(crate) object: String,
    pub(crate) status: String,
    pub(crate) why: String,
    pub(crate) tries: i64,
    pub(crate) received_at_ms: i64,
}

/// At most `limit` events that are not done, the oldest first.
pub(crate) async fn open(kit: &Kit, limit: i64) -> Result<Vec<Kept>, OpError> {
    let rows = sqlx::query(LIST).bind(limit).fetch_all(kit.reads()).await?;
    rows.iter().map(|row| Ok(kept(row)?)).collect()
}

fn kept(row: &AnyRow) -> Result<Kept, sqlx::Error> {
    Ok(Kept {
        event_id: row.try_get("event_id")?,
        kind: row.try_get("kind")?,
        object: row.try_get("object_id")?,
        status: row.try_get("status")?,
        why: row.try_get("why")?,
        tries: row.try_get("tries")?,
        received_at_ms: row.try_get("received_at_ms")?,
    })
}

/// The loop that works through what was kept.
pub(crate) struct Inbox {
    desk: Desk,
    /// When what is parked was last counted; 0: not since the start.
    counted_at_ms: AtomicI64,
}

impl Inbox {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk, counted_at_ms: AtomicI64::new(0) }
    }

    /// Looks at what the event is about. How it stands then, and why it is not done.
    async fn take_up(&self, event: &Kept) -> Result<(Status, String), Trouble> {
        if event.object.is_empty() {
            return Ok((Status::Done, String::new()));
        }
        let provider = self.desk.gateway.name();
        let mut conn = self.desk.kit.reads().acquire().await.map_err(OpError::from)?;
        let payment = ledger::by_object(&mut conn, provider, &ProviderId::new(event.object.clone())).await?;
        drop(conn);
        let Some(payment) = payment else {
            return Ok((Status::Parked, "no payment here has this object".into()));
        };
        match look::at(&self.desk, &payment).await {
            Ok(()) => Ok((Status::Done, String::new())),
            // The provider makes no sense: a person has to look, and the event is not lost meanwhile.
            Err(Trouble::Broken(why)) => Ok((Status::Parked, why)),
            Err(Trouble::Later(why) | Trouble::Busy(_, why)) => Ok((Status::Waiting, why)),
        }
    }

    async fn settle(&self, event: &Kept, now_ms: i64, to: Status, why: &str) -> Result<(), OpError> {
        let provider = self.desk.gateway.name();
        let (id, why, tries) = (event.event_id.clone(), why.to_owned(), event.tries);
        let next_at_ms = next_at_ms(event, now_ms, to);
        // Its body is evidence for a person, for as long as there is something to find out.
        let is_over = to == Status::Done || next_at_ms == NEVER_MS;
        self.desk
            .kit
            .run(Vec::new(), move |tx| {
                let (id, why) = (id.clone(), why.clone());
                Box::pin(async move {
                    let query = sqlx::query(SETTLE)
                        .bind(provider)
                        .bind(id)
                        .bind(tries)
                        .bind(to.as_str())
                        .bind(why)
                        .bind(next_at_ms)
                        .bind(i64::from(is_over));
                    query.execute(tx.conn()).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn tick(&self, now_ms: i64) -> Result<Progress, OpError> {
        let kit = &self.desk.kit;
        let provider = self.desk.gateway.name();
        let rows = sqlx::query(DUE).bind(provider).bind(now_ms).bind(MOST).fetch_all(kit.reads()).await?;
        let (mut done, mut problem) = (0, None);
        let mut more = i64::try_from(rows.len()).is_ok_and(|count| count == MOST);
        for row in &rows {
            if self.desk.not_early(None).is_err() {
                more = false;
                break;
            }
            let event = kept(row)?;
            let (to, why) = match self.take_up(&event).await {
                Ok(settled) => settled,
                Err(Trouble::Later(why) | Trouble::Busy(_, why) | Trouble::Broken(why)) => {
                    (Status::Waiting, why)
                }
            };
            if to == Status::Parked && event.status != "parked" {
                let (id, kind, object) = (&event.event_id, &event.kind, &event.object);
                tracing::warn!(event = id, kind, object, why, "a webhook is parked");
            }
            if to == Status::Waiting {
                problem = Some(format!("webhook {}: {why}", event.event_id));
            }
            backstitch_failpoint::hit("payment.webhook_acted_on");
            self.settle(&event, now_ms, to, &why).await?;
            done += usize::from(to == Status::Done);
        }
        self.count(now_ms).await?;
        Ok(Progress { done, more, problem })
    }

    /// Counting reads every parked event, so it is not done each time.
    async fn count(&self, now_ms: i64) -> Result<(), OpError> {
        let counted_at_ms = self.counted_at_ms.load(Ordering::Relaxed);
        if counted_at_ms > 0 && now_ms.saturating_sub(counted_at_ms) < COUNTED_EVERY_MS {
            return Ok(());
        }
        let parked: i64 = sqlx::query(COUNT_PARKED).fetch_one(self.desk.kit.reads()).await?.try_get(0)?;
        // As a gauge has it.
        #[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        gauge!(PARKED).set(parked as f64);
        self.counted_at_ms.store(now_ms, Ordering::Relaxed);
        Ok(())
    }
}

/// When an event that was just tried is due again.
fn next_at_ms(event: &Kept, now_ms: i64, to: Status) -> i64 {
    if to != Status::Parked {
        return now_ms.saturating_add(pauses::after(event.tries));
    }
    if now_ms.saturating_sub(event.received_at_ms) >= PARKED_TRIED_FOR_MS {
        return NEVER_MS;
    }
    now_ms.saturating_add(pauses::up_to(event.tries, PARKED_PAUSE_MS))
}

#[async_trait]
impl Background for Inbox {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        self.tick(now_ms).await.unwrap_or_else(Progress::failed)
    }
}
